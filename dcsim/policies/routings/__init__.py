"""Routings: which of several equal ways a flow takes. One file per routing."""
