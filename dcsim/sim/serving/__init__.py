"""Serving: engines that batch continuously, in a fleet behind a router."""
