"""Trace formats: one file per format."""
