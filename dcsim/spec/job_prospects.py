"""What scheduled jobs may expect of the failures of their nodes, before anything is simulated."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from dcsim.catalog.reliability import Cause, Domain
from dcsim.errors import InfeasibleError
from dcsim.formulas.reliability import CheckpointTimes, mttf_s, time_to_save_s
from dcsim.spec.jobs import Preemption
from dcsim.spec.reliability import Reliability
from dcsim.spec.scenario import Scenario
from dcsim.units import span_text
from dcsim.workloads.failure_time import LifeDistribution

_FEWEST_FINISHED = 0.01  # expected number of jobs that finish: below this, none will
_HIGHEST_EXPONENT = 700.0  # beyond 709 the exponential overflows


class JobDemand(NamedTuple):
    """A job as its prospects are told from."""

    duration_s: float
    num_accelerators: float


@dataclass(frozen=True, slots=True)
class JobProspect:
    """One job whose nodes fail, by itself."""

    demand: JobDemand
    num_nodes: int  # at least
    mttf_s: float  # of these nodes
    piece_s: float  # run time that no failure may hit: to its first checkpoint, else all of it
    completion_s: float  # mean, until it finishes or is given up
    finished_frac: float  # chance that it gets through one such piece before it is given up

    @property
    def num_hits(self) -> float:
        """Failures that are to be expected before a piece is safe."""
        return math.expm1(min(self.piece_s / self.mttf_s, _HIGHEST_EXPONENT))


def job_prospect(demand: JobDemand, num_nodes: int, nodes_mttf_s: float, costs: Preemption) -> JobProspect:
    """The prospects of a job: each run must get through a piece of its work, e^(-piece/M) of them do.

    The mean time to get through is that of :func:`time_to_save_s` (Daly) for each piece; nobody waits longer
    than for as many failures as a job may have.
    """
    piece_s = min(costs.checkpoint_interval_s or math.inf, demand.duration_s)
    if math.isinf(nodes_mttf_s) or piece_s == 0.0:
        return JobProspect(demand, num_nodes, math.inf, piece_s, demand.duration_s, 1.0)
    num_runs = costs.max_restarts + 1
    each_s = time_to_save_s(piece_s, nodes_mttf_s, CheckpointTimes(0.0, costs.restart_s))
    completion_s = min(each_s * demand.duration_s / piece_s, num_runs * nodes_mttf_s)
    finished_frac = min(num_runs * math.exp(-piece_s / nodes_mttf_s), 1.0)
    return JobProspect(demand, num_nodes, nodes_mttf_s, piece_s, completion_s, finished_frac)


def require_job_prospects(scenario: Scenario, demands: Iterable[JobDemand]) -> float:
    """When the last job is over at the earliest, on average: nodes fail, and are away for their repair.

    Raises InfeasibleError where failures let no job finish. Jobs within a given duration run, and are found
    unfinished.
    """
    if scenario.jobs is None or scenario.reliability is None or scenario.duration_s is not None:
        return 0.0
    nodes = _FailingNodes(scenario)
    counts = Counter(one for one in demands if nodes.num_of(one) <= nodes.num_nodes)
    prospects = [nodes.prospect(one, scenario.jobs.preemption) for one in counts]
    if not prospects:
        return 0.0
    num_finished = sum(one.finished_frac * counts[one.demand] for one in prospects)
    if num_finished < _FEWEST_FINISHED:
        best = max(prospects, key=lambda one: one.finished_frac)
        raise InfeasibleError(_hopeless(best, scenario.jobs.preemption))
    held_s = sum(one.completion_s * one.demand.num_accelerators * counts[one.demand] for one in prospects)
    longest_s = max(one.completion_s for one in prospects)
    return max(longest_s, held_s / (nodes.num_accelerators * nodes.availability_frac))


def _hopeless(best: JobProspect, costs: Preemption) -> str:
    where = "1 node fails" if best.num_nodes == 1 else f"{best.num_nodes:,} nodes fail"
    remedy = "Set jobs.preemption.checkpoint_interval"
    if costs.checkpoint_interval_s is not None:
        remedy = "Shorten jobs.preemption.checkpoint_interval"
    return (
        f"jobs: failures let none of them finish. Of the one that has it easiest {where} every "
        f"{span_text(best.mttf_s)}, and {span_text(best.piece_s)} of its work must get through at a time: "
        f"about {best.num_hits:.3g} restarts, of {costs.max_restarts:,} after which it is given up. "
        f"{remedy}, or lower the failure rates"
    )


class _FailingNodes:
    """The nodes of a cluster as scheduled jobs meet them.

    Not counted are failures whose law is not Poisson, those that were recorded, and those foreseen.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._reliability, node = scenario.reliability or Reliability(), scenario.cluster.node
        self.num_nodes, self._per_node = scenario.cluster.num_nodes, node.num_accelerators
        self.num_accelerators = self.num_nodes * self._per_node
        self._shape = self._reliability.shape(node, self.num_nodes)
        prediction = self._reliability.prediction
        self._unforeseen_frac = 1.0 if prediction is None else 1.0 - prediction.recall_frac
        self._causes = [one for one in self._reliability.causes.values() if _throws_back(one)]
        self._mttf_s = cache(self._mttf_of)

    @property
    def availability_frac(self) -> float:
        """Share of time that a node is in service: MTBF / (MTBF + MTTR), repair crews without end."""
        repair_s = self._reliability.repair_s
        away = math.fsum(rate * (cause.repair_s or repair_s) for cause, rate in self._rates(1))
        return 1.0 / (1.0 + away)

    def num_of(self, demand: JobDemand) -> int:
        """The fewest nodes that hold a job."""
        return max(1, math.ceil(demand.num_accelerators / self._per_node))

    def prospect(self, demand: JobDemand, costs: Preemption) -> JobProspect:
        """The prospects of a job on as few nodes as hold it."""
        num_nodes = self.num_of(demand)
        return job_prospect(demand, num_nodes, self._mttf_s(num_nodes), costs)

    def _rates(self, num_nodes: int) -> Iterator[tuple[Cause, float]]:
        """Failures per second that throw back a job on so many nodes, by cause."""
        for cause in self._causes:
            num_units = self._shape.num_units(cause.counted_by, num_nodes)
            yield cause, cause.rate_per_s * num_units * self._unforeseen_frac

    def _mttf_of(self, num_nodes: int) -> float:
        return mttf_s((rate, 1.0) for _, rate in self._rates(num_nodes))


def _throws_back(cause: Cause) -> bool:
    """Whether the failures hit whoever is on a node, as a Poisson process."""
    is_memoryless = isinstance(cause.times, LifeDistribution) and cause.times.is_memoryless
    hits_nodes = Domain.JOB not in (cause.counted_by, cause.takes_down) and (
        cause.counted_by is not Domain.SITE or cause.takes_down is Domain.SITE
    )
    return is_memoryless and hits_nodes and cause.slowdown_frac is None
