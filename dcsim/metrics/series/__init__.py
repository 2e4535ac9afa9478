"""Series: what figures are drawn from, small whatever the length of the run."""
