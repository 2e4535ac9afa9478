"""The simulation: the only place with a clock, and the only one that imports SimPy."""
