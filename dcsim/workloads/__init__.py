"""Workloads: when requests come and how long they are."""
