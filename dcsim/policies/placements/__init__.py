"""Placements: which nodes a job gets. One file per placement."""
