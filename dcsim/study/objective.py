"""Objectives: the numbers to be low in, who is best in each, and who is beaten in none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dcsim.study.compared_number import ComparedNumber, Values
from dcsim.study.difference import Difference, Significance
from dcsim.study.pareto import pareto_front
from dcsim.study.slo_status import SloStatus


@dataclass(frozen=True, slots=True)
class Objective:
    """A number to be low in: ``cost``, ``energy`` or ``latency``, with several workloads ``latency.NAME``."""

    name: str
    path: str
    values: Values


@dataclass(frozen=True, slots=True)
class Winner:
    """Who is best in an objective.

    ``index`` is the best result; None where others are within noise of it, which ``ties`` then names with
    it, or where fewer than two results have the number. ``lead`` is its difference from the ``runner_up``.
    """

    objective: str
    index: int | None
    ties: tuple[int, ...] = ()
    runner_up: int | None = None
    lead: Difference | None = None


def winner_of(objective: str, number: ComparedNumber) -> Winner:
    """The winner of an objective, or its ties, by the number that it is about."""
    known = [(value.value, index) for index, value in enumerate(number.values) if value is not None]
    if len(known) < 2:
        return Winner(objective, None)
    best, *others = [index for _, index in sorted(known)]
    ties = [index for index in others if _is_tie(number.difference(index, best))]
    if ties:
        return Winner(objective, None, tuple(sorted([best, *ties])))
    return Winner(objective, best, (), others[0], number.difference(best, others[0]))


def _is_tie(one: Difference | None) -> bool:
    return one is not None and one.significance is Significance.WITHIN_NOISE


def contenders(objectives: Sequence[Objective], slo: Sequence[SloStatus]) -> tuple[int, ...]:
    """The results among which the Pareto front is sought: with every objective, and not missing their SLO.

    If every one of them misses it, all that have every objective. Without objectives there are none.
    """
    columns = zip(*(objective.values for objective in objectives), strict=True)
    complete = [index for index, values in enumerate(columns) if None not in values]
    return tuple([index for index in complete if slo[index] is not SloStatus.MISSED] or complete)


def pareto_results(objectives: Sequence[Objective], slo: Sequence[SloStatus]) -> tuple[bool, ...]:
    """For each result whether it is a contender that no other beats, by the values, intervals aside."""
    chosen = contenders(objectives, slo)
    values = [[objective.values[index] for objective in objectives] for index in chosen]
    points = [[value.value for value in one if value is not None] for one in values]
    is_kept = dict(zip(chosen, pareto_front(points), strict=True))
    return tuple(is_kept.get(index, False) for index in range(len(slo)))


def cheapest_meeting_slo(cost: Objective | None, slo: Sequence[SloStatus]) -> int | None:
    """The result with the lowest cost of those that meet their SLO; None where there is none with a cost."""
    costs = {
        index: value.value
        for index, value in enumerate(cost.values if cost else ())
        if value is not None and slo[index] is SloStatus.MET
    }
    return min(costs, key=lambda index: costs[index]) if costs else None
