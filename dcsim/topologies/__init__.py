"""Topologies: which cables join nodes and switches. One file per topology."""
