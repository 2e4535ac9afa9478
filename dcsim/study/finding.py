"""What a comparison found, as codes and parameters that can be said in any language."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from dcsim.study.difference import Significance
from dcsim.study.objective import contenders
from dcsim.study.slo_status import SloStatus

if TYPE_CHECKING:
    from dcsim.study.comparison import Comparison


class FindingKind(StrEnum):
    """What a finding says. Results are given by index, objectives by name."""

    WINS = "wins"  # winner is best in objective, the runner-up being over, by relative_frac
    TIE = "tie"  # results are the best in objective, within noise of one another
    MEETS_SLO = "meets_slo"  # results
    MISSES_SLO = "misses_slo"  # results
    UNDECIDED_SLO = "undecided_slo"  # results whose replications disagree, or that no request reached
    CHEAPEST_MEETING_SLO = "cheapest_meeting_slo"  # winner; told where the wins do not
    PARETO = "pareto"  # results are beaten by no contender; told where others are
    LACKS = "lacks"  # results have no number for objective, others have
    OTHER_MODELS = "other_models"  # results train different models: what is per token is no objective
    NO_STEADY_STATE = "no_steady_state"  # results, whose latencies are withheld


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a comparison found; what its kind does not use is None or empty."""

    kind: FindingKind
    objective: str | None = None
    winner: int | None = None
    over: int | None = None
    relative_frac: float | None = None
    significance: Significance | None = None
    results: tuple[int, ...] = ()


_SLO_KINDS = {
    SloStatus.MET: FindingKind.MEETS_SLO,
    SloStatus.MISSED: FindingKind.MISSES_SLO,
    SloStatus.UNDECIDED: FindingKind.UNDECIDED_SLO,
}


def findings(comparison: Comparison) -> Iterator[Finding]:
    """Who wins what, who meets the SLO, who is beaten by none, and what is missing, in this order."""
    yield from _wins_and_ties(comparison)
    for status, kind in _SLO_KINDS.items():
        having = tuple(index for index, one in enumerate(comparison.slo) if one is status)
        if having:
            yield Finding(kind, results=having)
    cheapest = comparison.cheapest_meeting_slo
    if cheapest is not None and comparison.slo.count(SloStatus.MET) > 1 and not _is_plain(comparison):
        yield Finding(FindingKind.CHEAPEST_MEETING_SLO, objective="cost", winner=cheapest)
    front = tuple(index for index, is_on in enumerate(comparison.pareto) if is_on)
    if len(comparison.objectives) > 1 and front != contenders(comparison.objectives, comparison.slo):
        yield Finding(FindingKind.PARETO, results=front)
    yield from _gaps(comparison)


def _wins_and_ties(comparison: Comparison) -> Iterator[Finding]:
    for one in comparison.winners:
        if one.ties:
            yield Finding(FindingKind.TIE, one.objective, results=one.ties)
        elif one.lead is not None:
            relative_frac, significance = one.lead.relative_frac, one.lead.significance
            yield Finding(
                FindingKind.WINS, one.objective, one.index, one.runner_up, relative_frac, significance
            )


def _is_plain(comparison: Comparison) -> bool:
    """Whether the cheapest that meets the SLO wins cost anyway, or ties with others that meet it."""
    cost = next(one for one in comparison.winners if one.objective == "cost")
    if cost.ties:
        return all(comparison.slo[index] is SloStatus.MET for index in cost.ties)
    return comparison.cheapest_meeting_slo == cost.index


def _gaps(comparison: Comparison) -> Iterator[Finding]:
    if comparison.other_models:
        yield Finding(FindingKind.OTHER_MODELS, results=tuple(range(len(comparison.labels))))
    unsteady = tuple(index for index, is_steady in enumerate(comparison.has_steady_state) if not is_steady)
    for objective in comparison.objectives:
        without = [index for index, value in enumerate(objective.values) if value is None]
        explained = unsteady if objective.path.startswith("serving.") else ()
        lacking = tuple(index for index in without if index not in explained)
        if lacking:
            yield Finding(FindingKind.LACKS, objective.name, results=lacking)
    if unsteady:
        yield Finding(FindingKind.NO_STEADY_STATE, results=unsteady)
