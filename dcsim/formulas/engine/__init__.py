"""An engine as a whole, in closed form: its load, its capacity and its throughput."""
