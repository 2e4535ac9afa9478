"""Arrival processes: one file per process."""
