"""Jobs in time: a pool of nodes, the scheduler on the clock, and what takes nodes away."""
