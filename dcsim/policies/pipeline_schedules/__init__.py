"""Pipeline schedules: the order in which stages work on micro-batches, one file each."""
