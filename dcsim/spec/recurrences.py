"""What recurs in a simulation, and how often at most: a run that would never be over is refused at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from dcsim.errors import InfeasibleError
from dcsim.spec.scenario import Scenario
from dcsim.spec.training.dataset_preparation import resolve_preparation
from dcsim.spec.training.deployment import TrainingDeployment
from dcsim.spec.training.length import num_concurrent_trials, num_job_steps, num_trials
from dcsim.spec.training.prospects import training_prospects
from dcsim.units import span_text

MAX_OCCURRENCES = 100_000  # of one kind in one run: about a minute at what the costliest take
LONGEST_S = 1e12  # 30,000 years: at later instants the clock, a double, no longer tells milliseconds apart


class Recurring(NamedTuple):
    """Something that recurs, with the mean time from one to the next."""

    what: str
    gap_s: float
    remedy: str


def require_bounded(
    scenario: Scenario, deployments: Iterable[TrainingDeployment], expected_end_s: float
) -> None:
    """Raise InfeasibleError for a run that is too long, or in which something recurs too often.

    What cannot be told beforehand is counted while the run goes on (dcsim/sim/recurrence.py).
    """
    if expected_end_s > LONGEST_S:
        raise InfeasibleError(
            f"the simulation would cover {span_text(expected_end_s)}, more than the {span_text(LONGEST_S)} "
            "that its clock can tell apart. Shorten the duration or the jobs, or mend a rate that is all but "
            "zero"
        )
    for one in _recurring(scenario, deployments):
        if expected_end_s > MAX_OCCURRENCES * one.gap_s:
            raise InfeasibleError(
                f"{one.what} every {span_text(one.gap_s)}, more than {MAX_OCCURRENCES:,} in "
                f"{span_text(expected_end_s)}. {one.remedy}, or simulate a shorter time"
            )


def _recurring(scenario: Scenario, deployments: Iterable[TrainingDeployment]) -> Iterator[Recurring]:
    for one in deployments:
        if one.job.checkpoint is not None and one.job.checkpoint.store is not None:
            interval_s = training_prospects(scenario, one).interval_s
            if interval_s is not None:
                what = f"training.{one.name}.checkpoint: saves"
                yield Recurring(what, interval_s, "Lengthen its interval")
        trial_s = (num_job_steps(one.job, one.tokens_per_step) or math.inf) * one.step().total_s
        if num_trials(one.job) > MAX_OCCURRENCES:
            gap_s = trial_s / num_concurrent_trials(one.job)
            yield Recurring(f"training.{one.name}.sweep: trials", gap_s, "Ask for fewer")
        prepared = resolve_preparation(scenario, one)
        if prepared is not None and prepared.num_shuffles:
            gap_s = prepared.steps_per_epoch * one.step().total_s
            yield Recurring(f"training.{one.name}.dataset: shuffles", gap_s, "Remove reshuffle")
    for name, store in scenario.cluster.storage.items():
        if store.backup is not None:
            what = f"cluster.storage.{name}.backup"
            yield Recurring(f"{what}: copies", store.backup.every_s, "Lengthen every")
            if store.backup.restore_test_s is not None:
                yield Recurring(f"{what}: tests", store.backup.restore_test_s, "Lengthen restore_test")
    failures = scenario.cluster.fabric and scenario.cluster.fabric.failures
    if failures:
        for key, mtbf_s in (("switch_mtbf", failures.switch_mtbf_s), ("cable_mtbf", failures.cable_mtbf_s)):
            if mtbf_s is not None:  # of one unit at least
                yield Recurring("cluster.fabric.failures: outages", mtbf_s, f"Lengthen {key}")
    yield from _false_alarms(scenario)
    if scenario.jobs is None:
        return
    for number, window in enumerate(scenario.jobs.maintenance):
        if window.every_s is not None:
            yield Recurring(f"jobs.maintenance.{number}: windows", window.every_s, "Lengthen every")
    spot = scenario.jobs.spot
    if spot is not None:
        gap_s = (spot.mean_available_s + spot.notice_s + spot.mean_away_s) / spot.num_nodes
        yield Recurring("jobs.spot: nodes taken away", gap_s, "Lengthen mean_available or mean_away")


def _false_alarms(scenario: Scenario) -> Iterator[Recurring]:
    """Those of predictive maintenance, over all nodes."""
    reliability, cluster = scenario.reliability, scenario.cluster
    if reliability is None or reliability.prediction is None:
        return
    shape = reliability.shape(cluster.node, cluster.num_nodes)
    failures_per_s = sum(
        cause.rate_per_s * shape.num_units(cause.counted_by, cluster.num_nodes)
        for cause in reliability.causes.values()
        if cause.can_be_foreseen
    )
    rate_per_s = failures_per_s * reliability.prediction.false_alarms_per_failure
    if rate_per_s > 0:
        what = "reliability.predictive_maintenance: false alarms"
        yield Recurring(what, 1.0 / rate_per_s, "Raise precision")
