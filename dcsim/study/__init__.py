"""Studies: one run or many, in one process or several."""
