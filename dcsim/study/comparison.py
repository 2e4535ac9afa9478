"""A comparison of a few results: every number beside the baseline's, and which result wins what."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from dcsim.errors import Problem, ScenarioError
from dcsim.result import Estimate, Result
from dcsim.study.comparison_row import (
    LATENCIES_COMPARED,
    ComparisonRow,
    compared_workloads,
    comparison_rows,
    serving_values,
    values_at,
)
from dcsim.study.difference import Difference
from dcsim.study.finding import Finding, findings
from dcsim.study.objective import Objective, Winner, cheapest_meeting_slo, pareto_results, winner_of
from dcsim.study.scenario_difference import ScenarioDifference, scenario_differences, unique_labels
from dcsim.study.slo_status import SloStatus, has_steady_state, slo_status
from dcsim.validation import nearest

if TYPE_CHECKING:
    import pandas

_SCHEMA = "dcsim/comparison/1"
_FEWEST, _MOST = 2, 8
_COST = "cost.usd_per_million_output_tokens"
_FACILITY_ENERGY, _IT_ENERGY = "energy.facility_j_per_output_token", "energy.it_j_per_output_token"
_LATENCY_CHOICES = tuple(
    f"{name}.{statistic}" for name in LATENCIES_COMPARED for statistic in ("mean", "p50", "p90", "p95", "p99")
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two to eight results, side by side; what is told of each result stands in a tuple in their order.

    Attributes
    ----------
    differences_in_scenario
        What differs from the baseline's scenario, for each result.
    slo, has_steady_state
        How each result stands to its SLOs; whether its latencies mean anything.
    pareto
        Whether each result is on the Pareto front of the objectives.
    winners
        One for each objective.
    cheapest_meeting_slo
        Index of the result with the lowest cost of those that meet their SLO, if there is one.
    """

    labels: tuple[str, ...]
    baseline: int
    differences_in_scenario: tuple[tuple[ScenarioDifference, ...], ...]
    rows: tuple[ComparisonRow, ...]
    slo: tuple[SloStatus, ...]
    has_steady_state: tuple[bool, ...]
    objectives: tuple[Objective, ...]
    pareto: tuple[bool, ...]
    winners: tuple[Winner, ...]
    cheapest_meeting_slo: int | None

    def sentences(self) -> tuple[Finding, ...]:
        """What a report says of it, in any language; ``dcsim compare`` prints it in English."""
        return tuple(findings(self))

    def document(self) -> dict[str, object]:
        """All of it as plain values: what ``dcsim compare --json`` prints, null for an end without bound."""
        sentences = [asdict(one) for one in self.sentences()]
        return {"schema": _SCHEMA, **asdict(self, dict_factory=_plain), "sentences": sentences}

    def to_frame(self) -> pandas.DataFrame:
        """One row for each number and result, with its intervals and the difference from the baseline."""
        import pandas

        return pandas.DataFrame.from_records(
            [
                {"path": row.path, "label": label, **_cells(value), **_difference_cells(one)}
                for row in self.rows
                for label, value, one in zip(self.labels, row.values, row.differences, strict=True)
            ]
        )


def compare(
    results: Sequence[Result],
    *,
    labels: Sequence[str] | None = None,
    baseline: int = 0,
    latency: str = "e2e_s.p99",
) -> Comparison:
    """Two to eight results side by side.

    Workloads are compared by name, those that all results have; where the names differ and each result has
    one workload, these are compared with one another. Numbers that no result has are left out.

    A difference is within the noise of the replications, beyond it, or clear: beyond what is not known of the
    calibration too, the results' errors taken as independent. Errors of the calibration of the same device
    are shared, so that CLEAR is conservative there.

    Parameters
    ----------
    labels
        Names of the results; their scenarios' names, with what differs between them, if left out.
    baseline
        Index of the result that the others are held against.
    latency
        The latency that is an objective beside cost and energy, such as ``ttft_s.p99``.

    Raises
    ------
    ScenarioError
        There are fewer than two results or more than eight, the labels are not one for each, or there is no
        such baseline or latency.
    """
    check_comparable(len(results), baseline)
    _check_choices(len(results), labels, latency)
    documents = [result.scenario.document for result in results]
    names = [result.scenario.name for result in results]
    objectives = tuple(_objectives(results, baseline, latency))
    cost = next((one for one in objectives if one.path == _COST), None)
    slo = tuple(map(slo_status, results))
    return Comparison(
        labels=tuple(labels) if labels is not None else unique_labels(names, documents),
        baseline=baseline,
        differences_in_scenario=tuple(scenario_differences(one, documents[baseline]) for one in documents),
        rows=tuple(comparison_rows(results, baseline)),
        slo=slo,
        has_steady_state=tuple(map(has_steady_state, results)),
        objectives=objectives,
        pareto=pareto_results(objectives, slo),
        winners=tuple(map(winner_of, objectives)),
        cheapest_meeting_slo=cheapest_meeting_slo(cost, slo),
    )


def check_comparable(num_results: int, baseline: int) -> None:
    """Raise ScenarioError unless so many results can be compared, and the baseline is one of them."""
    if not _FEWEST <= num_results <= _MOST:
        remedy = "Give one more" if num_results < _FEWEST else "Compare some at a time"
        raise _complaint(f"{_FEWEST} to {_MOST} results can be compared", num_results, remedy)
    if not 0 <= baseline < num_results:
        raise _complaint(f"the baseline is not one of the {num_results} results", None, "Choose one of them")


def _check_choices(num_results: int, labels: Sequence[str] | None, latency: str) -> None:
    if labels is not None and not len(set(labels)) == len(labels) == num_results:
        raise _complaint("not one label for each result", list(labels), f"Give {num_results} different ones")
    if latency not in _LATENCY_CHOICES:
        raise _complaint("no such latency", latency, nearest(latency, _LATENCY_CHOICES))


def _complaint(message: str, value: object, remedy: str) -> ScenarioError:
    return ScenarioError(Problem(message, value=value, remedy=remedy, file="compare"))


def _objectives(results: Sequence[Result], baseline: int, latency: str) -> Iterator[Objective]:
    """Cost, energy and a latency of each workload compared, as far as any result has them.

    Energy is that at the meter, unless a result has only that of its machines.
    """
    facility, it = (values_at(results, path) for path in (_FACILITY_ENERGY, _IT_ENERGY))
    lacks_meter = any(one is None and other is not None for one, other in zip(facility, it, strict=True))
    energy = (_IT_ENERGY, it) if lacks_meter else (_FACILITY_ENERGY, facility)
    workloads = compared_workloads(results, baseline)
    found = [Objective("cost", _COST, values_at(results, _COST)), Objective("energy", *energy)]
    for shown, names in workloads.items():
        name = "latency" if len(workloads) == 1 else f"latency.{shown}"
        found.append(Objective(name, f"serving.{shown}.{latency}", serving_values(results, names, latency)))
    yield from (one for one in found if any(value is not None for value in one.values))


def _plain(fields: Sequence[tuple[str, object]]) -> dict[str, object]:
    return {key: _ends(value) if key == "prediction" else value for key, value in fields}


def _ends(prediction: object) -> list[float | None] | None:
    if not isinstance(prediction, tuple):
        return None
    return [end if math.isfinite(end) else None for end in prediction]


def _cells(value: Estimate | None) -> dict[str, float | None]:
    low, high = value.prediction if value and value.prediction else (None, None)
    number, half_width = (value.value, value.half_width) if value else (None, None)
    return {"value": number, "half_width": half_width, "low": low, "high": high}


def _difference_cells(one: Difference | None) -> dict[str, float | str | None]:
    if one is None:
        return {"difference": None, "relative_frac": None, "significance": None}
    significance = one.significance.value
    return {"difference": one.absolute, "relative_frac": one.relative_frac, "significance": significance}
