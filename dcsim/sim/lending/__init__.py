"""Lending in time: replicas that pause, and their nodes that work for jobs meanwhile."""
