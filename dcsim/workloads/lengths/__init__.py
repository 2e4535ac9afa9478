"""Prompt and output lengths: one file per distribution."""
