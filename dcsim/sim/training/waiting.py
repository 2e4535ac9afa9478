"""Waiting on the clock, and the span that is written about it."""

from __future__ import annotations

import math

import simpy
from simpy.events import ProcessGenerator

CHANGE = "the condition of the steps has changed"  # cause of an interrupt that stops nothing


def timer(environment: simpy.Environment, delay_s: float) -> simpy.Event:
    """An event after so long; one that never comes, if that is infinite."""
    return environment.event() if math.isinf(delay_s) else environment.timeout(delay_s)


def wait(event: simpy.Event) -> ProcessGenerator:
    """Wait for an event in spite of changes that matter to steps only."""
    while True:
        try:
            yield event
        except simpy.Interrupt as interrupt:
            if interrupt.cause is not CHANGE:
                raise
        else:
            return
