"""A comparison of a few results: every number beside the baseline's, and which result wins what.

A difference is within the noise of the replications, beyond it, or clear: beyond what is not known of the
calibration too, errors of the calibrations taken as independent. Those of the same device are shared, so that
CLEAR is conservative there.

Two results are paired if they have the same seed, several replications, and for the workloads compared the
same traffic, failures, submitted jobs, duration and warm-up: each replication of one then saw the requests,
failures and jobs of the other's, and the noise of a difference is that of its values in each replication.
Otherwise, and for results saved without these values, the noise of the two is taken as independent.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from dcsim.errors import Problem, ScenarioError
from dcsim.result import Estimate, Result
from dcsim.study.compared_number import ComparedNumber, ComparedResults, OtherModels
from dcsim.study.comparison_row import LATENCIES_COMPARED, ComparisonRow, comparison_rows
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
_PER_OUTPUT_TOKEN = (
    "cost.usd_per_million_output_tokens",
    "energy.facility_j_per_output_token",
    "energy.it_j_per_output_token",
)
_SHARES = (  # of a workload, and of a training job
    ("cost", "usd_per_million_output_tokens", "usd_per_million_tokens"),
    ("energy", "it_j_per_output_token", "it_j_per_token"),
)
_IN_ALL = ("cost.total_usd", "energy.facility_j", "energy.it_j")
_COMPLETION = "jobs.completion_s.mean"
_LATENCY_CHOICES = tuple(
    f"{name}.{statistic}" for name in LATENCIES_COMPARED for statistic in ("mean", "p50", "p90", "p95", "p99")
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two to eight results, side by side; what is told of each result stands in a tuple in their order.

    Attributes
    ----------
    is_paired
        Whether each result is held against the baseline replication by replication.
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
    names_of_any
        For the sections ``serving`` and ``training``, what ``*`` in a path is called in each result.
    other_models
        Training jobs whose models differ: their numbers per token are no objectives, being of other work.
    """

    labels: tuple[str, ...]
    baseline: int
    is_paired: tuple[bool, ...]
    differences_in_scenario: tuple[tuple[ScenarioDifference, ...], ...]
    rows: tuple[ComparisonRow, ...]
    slo: tuple[SloStatus, ...]
    has_steady_state: tuple[bool, ...]
    objectives: tuple[Objective, ...]
    pareto: tuple[bool, ...]
    winners: tuple[Winner, ...]
    cheapest_meeting_slo: int | None
    names_of_any: Mapping[str, tuple[str, ...]]
    other_models: tuple[OtherModels, ...]

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

    Workloads and training jobs are compared by name, those that all results have; where the names differ and
    each result has one of a kind, these are compared with one another. Numbers that no result has are left
    out.

    ``labels`` are the scenarios' names, with what differs between them, if left out; ``baseline`` is the
    index of the result that the others are held against; ``latency`` is an objective beside cost and energy.
    Raises ScenarioError for fewer than two results or more than eight, labels that are not one for each, or
    no such baseline or latency.
    """
    check_comparable(len(results), baseline)
    _check_choices(len(results), labels, latency)
    documents = [result.scenario.document for result in results]
    names = [result.scenario.name for result in results]
    compared = ComparedResults(results, baseline)
    goals = list(_goals(compared, latency))
    objectives = tuple(objective for objective, _ in goals)
    cost = next((one for one in objectives if one.name == "cost"), None) if compared.workloads else None
    slo = tuple(map(slo_status, results))
    return Comparison(
        labels=tuple(labels) if labels is not None else unique_labels(names, documents),
        baseline=baseline,
        is_paired=tuple(compared.are_paired(index, baseline) for index in range(len(results))),
        differences_in_scenario=tuple(scenario_differences(one, documents[baseline]) for one in documents),
        rows=tuple(comparison_rows(compared, baseline)),
        slo=slo,
        has_steady_state=tuple(map(has_steady_state, results)),
        objectives=objectives,
        pareto=pareto_results(objectives, slo),
        winners=tuple(winner_of(objective.name, number) for objective, number in goals),
        cheapest_meeting_slo=cheapest_meeting_slo(cost, slo),
        names_of_any=compared.names_of_any,
        other_models=tuple(compared.other_models()),
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


def _goals(compared: ComparedResults, latency: str) -> Iterator[tuple[Objective, ComparedNumber]]:
    """The objectives with their numbers, as far as known.

    Cost and energy are per output token of what is served and per token trained, else of the whole run. A
    token of one model is not the work of a token of another: training jobs whose models differ are not ranked
    by it.
    Beside them stand a latency of each workload, the time of each training job per token, and the mean
    completion time of scheduled jobs.
    """
    found = [*_cost_and_energy(compared)]
    for workload in compared.workloads:
        name = "latency" if len(compared.workloads) == 1 else f"latency.{workload}"
        number = compared.serving_number(workload, latency)
        found.append((name, f"serving.{workload}.{latency}", number))
    found += _of_training(compared, "time", "time_per_million_tokens_s")
    found.append(("completion", _COMPLETION, compared.number(_COMPLETION)))
    for name, path, number in found:
        if any(value is not None for value in number.values):
            yield Objective(name, path, number.values), number


def _cost_and_energy(compared: ComparedResults) -> Iterator[tuple[str, str, ComparedNumber]]:
    """Of a cluster that serving shares with other work, each has its share; else all of it is told.

    Energy is that at the meter, unless a result has only that of its machines; shares are of the machines'.
    """
    shares = [*_shares(compared)]
    if shares:
        yield from shares
        return
    cost, meter, machines = _PER_OUTPUT_TOKEN if compared.workloads else _IN_ALL
    facility, it = compared.number(meter), compared.number(machines)
    pairs = zip(facility.values, it.values, strict=True)
    lacks_meter = any(one is None and other is not None for one, other in pairs)
    yield "cost", cost, compared.number(cost)
    yield ("energy", machines, it) if lacks_meter else ("energy", meter, facility)


def _shares(compared: ComparedResults) -> Iterator[tuple[str, str, ComparedNumber]]:
    """Cost and energy per token of each workload and training job that has a share of its own."""
    num_sharing = len(compared.workloads) + len(compared.training_jobs)
    for kind, of_serving, of_training in _SHARES:
        found = {
            (workload, f"serving.{workload}.{of_serving}"): compared.serving_number(workload, of_serving)
            for workload in compared.workloads
        } | {
            (job, f"training.{job}.{of_training}"): compared.training_number(job, of_training)
            for job in compared.training_jobs
            if compared.trains_alike(job)
        }
        for (name, path), number in found.items():
            if any(value is not None for value in number.values):
                yield kind if num_sharing == 1 else f"{kind}.{name}", path, number


def _of_training(
    compared: ComparedResults, name: str, metric: str
) -> Iterator[tuple[str, str, ComparedNumber]]:
    """A number per token of each training job of one model, named after the job where there are several."""
    for job in filter(compared.trains_alike, compared.training_jobs):
        whole = name if len(compared.training_jobs) == 1 else f"{name}.{job}"
        yield whole, f"training.{job}.{metric}", compared.training_number(job, metric)


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
        return dict.fromkeys(("difference", "relative_frac", "significance", "is_paired"))
    cells = {"difference": one.absolute, "relative_frac": one.relative_frac}
    return {**cells, "significance": one.significance.value, "is_paired": one.is_paired}
