"""Training: operations, time and memory of one optimiser step of a parallel job."""
