"""Training jobs on the clock: steps in jumps, checkpoints, restarts."""
