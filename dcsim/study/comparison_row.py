"""The rows of a comparison: one number of the summary in every result, and its differences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dcsim.result import Estimate, Result
from dcsim.study.difference import Difference, difference

Values = tuple[Estimate | None, ...]  # by result
LATENCIES_COMPARED = ("ttft_s", "tpot_s", "itl_s", "e2e_s")

_ANY_WORKLOAD = "*"
_LOWER, _HIGHER, _NEITHER = True, False, None  # which is better
_SERVING: Mapping[str, bool | None] = {
    **{f"{name}.{statistic}": _LOWER for name in LATENCIES_COMPARED for statistic in ("mean", "p50", "p99")},
    "requests_per_s": _HIGHER,
    "goodput_requests_per_s": _HIGHER,
    "output_tokens_per_s": _HIGHER,
    "slo_attainment_frac": _HIGHER,
    "slo_met_probability": _HIGHER,
    "utilization_frac": _NEITHER,
    "mfu_frac": _NEITHER,  # at the same load, a faster machine has a lower one
    "kv_occupancy_frac": _NEITHER,
}
_CLUSTER: Mapping[str, bool | None] = {
    "energy.mean_it_w": _LOWER,
    "energy.mean_accelerator_w": _LOWER,
    "energy.it_j_per_output_token": _LOWER,
    "energy.facility_j_per_output_token": _LOWER,
    "carbon.kg_per_million_output_tokens": _LOWER,
    "cost.usd_per_million_output_tokens": _LOWER,
    "cost.usd_per_million_total_tokens": _LOWER,
    "cost.usd_per_accelerator_hour": _LOWER,
    "cost.usd_per_yr": _LOWER,
}


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """One number of the summary in every result.

    ``path`` is its dotted path, with ``*`` for the workload where each result has one of another name. A
    value or difference is None where a result lacks the number, and ``is_lower_better`` where it is no goal.
    """

    path: str
    values: tuple[Estimate | None, ...]
    differences: tuple[Difference | None, ...]
    is_lower_better: bool | None


def compared_workloads(results: Sequence[Result], baseline: int) -> Mapping[str, Sequence[str]]:
    """The workloads to compare: what each is called in the comparison, and its name in each result."""
    names = [list(result.serving) for result in results]
    common = [name for name in names[baseline] if all(name in one for one in names)]
    if not common and all(len(one) == 1 for one in names):
        return {_ANY_WORKLOAD: [one[0] for one in names]}
    return {name: [name] * len(results) for name in common}


def comparison_rows(results: Sequence[Result], baseline: int) -> Iterator[ComparisonRow]:
    """The rows that at least one result has a number for."""
    found = {
        f"serving.{shown}.{metric}": (serving_values(results, names, metric), is_lower_better)
        for shown, names in compared_workloads(results, baseline).items()
        for metric, is_lower_better in _SERVING.items()
    }
    found |= {path: (values_at(results, path), is_lower_better) for path, is_lower_better in _CLUSTER.items()}
    for path, (values, is_lower_better) in found.items():
        if any(value is not None for value in values):
            yield ComparisonRow(path, values, _differences(values, values[baseline]), is_lower_better)


def _differences(values: Values, baseline: Estimate | None) -> tuple[Difference | None, ...]:
    return tuple(
        None if value is None or baseline is None else difference(value, baseline) for value in values
    )


def serving_values(results: Sequence[Result], names: Sequence[str], metric: str) -> Values:
    """A number of one workload, by its name in each result."""
    pairs = zip(results, names, strict=True)
    return tuple(_value(result, f"serving.{name}.{metric}") for result, name in pairs)


def values_at(results: Sequence[Result], path: str) -> Values:
    """The number at a dotted path in each result."""
    return tuple(_value(result, path) for result in results)


def _value(result: Result, path: str) -> Estimate | None:
    """The number of a result at a path; None where there is none, or none that JSON can say.

    A number that neither replications nor draws of the calibration move, such as a price, is known exactly,
    and gets a prediction interval of no length.
    """
    found = result.view.find(path)
    if not isinstance(found, Estimate) or not math.isfinite(found.value):
        return None
    half_width, prediction = found.half_width, found.prediction
    if half_width is not None and not math.isfinite(half_width):
        half_width = None
    if half_width == 0.0 and prediction is None and result.view.number("prediction.num_draws"):
        prediction = (found.value, found.value)
    return Estimate(found.value, half_width, prediction)
