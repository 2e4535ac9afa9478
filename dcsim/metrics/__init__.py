"""Measurement: tables in, numbers with confidence out. No clock, no event."""
