"""FIFO: first come, first served."""

from __future__ import annotations

from dcsim.policies.line_scheduler import LineScheduler


class Fifo(LineScheduler):
    """Jobs start in the order of submission."""
