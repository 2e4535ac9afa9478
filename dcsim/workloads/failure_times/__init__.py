"""Laws of the time to a failure: one file each, named as in YAML."""
