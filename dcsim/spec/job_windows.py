"""Maintenance that leaves scheduled jobs no time to work in: told before anything is simulated."""

from __future__ import annotations

from collections.abc import Iterable

from dcsim.errors import InfeasibleError
from dcsim.spec.job_prospects import JobDemand
from dcsim.spec.jobs import NodeWindow, Preemption
from dcsim.spec.scenario import Scenario
from dcsim.units import span_text


def require_time_between_windows(scenario: Scenario, demands: Iterable[JobDemand]) -> None:
    """Raise InfeasibleError where windows over all nodes let no job finish, however long the run.

    Windows that others must be added to for that are not counted, and jobs within a given duration run.
    """
    durations_s = [one.duration_s for one in demands]
    if scenario.jobs is None or scenario.duration_s is not None or not durations_s:
        return
    for number, window in enumerate(scenario.jobs.maintenance):
        is_whole = window.first_node == 0 and window.num_nodes >= scenario.cluster.num_nodes
        if is_whole and not _lets_finish(window, scenario.jobs.preemption, min(durations_s)):
            raise InfeasibleError(
                f"jobs.maintenance.{number}: no job would ever finish: all nodes are away for "
                f"{span_text(window.duration_s)} every {span_text(window.every_s or 0.0)}, and the shortest "
                f"job takes {span_text(min(durations_s))}. Lengthen every, or shorten duration or drain"
            )


def _lets_finish(window: NodeWindow, costs: Preemption, duration_s: float) -> bool:
    """Whether a job can finish: before the first window, between two, or bit by bit."""
    if window.every_s is None or duration_s <= window.start_s:
        return True
    between_s = window.every_s - window.duration_s
    if between_s - window.drain_s <= 0.0:
        return False  # no job is ever placed
    keeps = costs.saves or (costs.checkpoint_interval_s or duration_s) < between_s - costs.restart_s
    return duration_s <= between_s or (keeps and between_s > costs.restart_s)
