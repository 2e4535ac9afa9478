"""Checkpoints of a job that names no store: its times alone count."""

from __future__ import annotations

import simpy

from dcsim.sim.training.checkpointing import FixedCheckpoints, SaveTimes
from dcsim.spec.training.checkpoint import CheckpointPlan


def timed_checkpoints(environment: simpy.Environment, plan: CheckpointPlan) -> FixedCheckpoints:
    """Checkpoints whose times are those of the plan, whatever else happens."""
    times = SaveTimes(plan.stall_s, plan.drain_s, plan.restore_s)
    return FixedCheckpoints(environment, plan.steps_per_save, times)
