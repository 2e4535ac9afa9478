"""Equations: numbers in, numbers out. They work on floats and on numpy arrays."""
