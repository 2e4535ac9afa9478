"""Decisions: no clock, no SimPy. A test can call one with two lists."""
