"""The rows of a comparison: one number of the summary in every result, and its differences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dcsim.study.compared_number import ComparedResults, Values
from dcsim.study.difference import Difference

LATENCIES_COMPARED = ("ttft_s", "tpot_s", "itl_s", "e2e_s")

_LOWER, _HIGHER, _NEITHER = True, False, None  # which is better
_SECTIONS = ("jobs", "failures", "fabric", "energy", "carbon", "cost")
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
    "usd_per_million_output_tokens": _LOWER,  # its share of a cluster with other work on it
    "it_j_per_output_token": _LOWER,
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
_TRAINING: Mapping[str, bool | None] = {
    "step_time_s": _NEITHER,  # batches may differ
    "mfu_frac": _HIGHER,
    "hfu_frac": _NEITHER,
    "productive_frac": _HIGHER,
    "effective_training_frac": _HIGHER,
    "tokens_per_s": _HIGHER,
    "time_per_million_tokens_s": _LOWER,
    "completion_s": _LOWER,
    "num_failures": _NEITHER,
    "memory_frac": _NEITHER,
    "cost_usd": _NEITHER,  # of more steps, if the job did not finish
    "usd_per_million_tokens": _LOWER,
    "it_j_per_token": _LOWER,
}
_PER_TRAINED_TOKEN = (
    "tokens_per_s",
    "time_per_million_tokens_s",
    "usd_per_million_tokens",
    "it_j_per_token",
)
_WORK: Mapping[str, bool | None] = {
    **{f"jobs.{name}.{one}": _LOWER for name in ("wait_s", "completion_s") for one in ("mean", "p50", "p99")},
    "jobs.slowdown.mean": _LOWER,
    "jobs.num_finished": _HIGHER,
    "jobs.num_infeasible": _LOWER,
    "jobs.utilization_frac": _HIGHER,
    "jobs.fragmentation_frac": _LOWER,
    "failures.num_stops": _NEITHER,
    "failures.num_nodes_away": _LOWER,
    "fabric.max_utilization_frac": _NEITHER,
    "fabric.mean_transfer_s": _LOWER,
}
_WHOLE: Mapping[str, bool | None] = {  # of runs that serve nothing, and so have no output tokens
    "energy.it_j": _LOWER,
    "energy.facility_j": _LOWER,
    "carbon.total_kg": _LOWER,
    "cost.total_usd": _LOWER,
}


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """One number of the summary in every result.

    ``path`` is its dotted path, with ``*`` for the workload or job where each result has one of another
    name, which ``names_of_any`` of the comparison gives. A value or difference is None where a result lacks
    the number, and ``is_lower_better`` where it is no goal.
    """

    path: str
    values: Values
    differences: tuple[Difference | None, ...]
    is_lower_better: bool | None


def _training(is_alike: bool) -> Mapping[str, bool | None]:
    """Numbers of a training job; what is per token is no goal where the models differ."""
    return _TRAINING if is_alike else {**_TRAINING, **dict.fromkeys(_PER_TRAINED_TOKEN)}


def _section_order(path: str) -> int:
    """Where the section of a path stands, so that its rows come together."""
    return _SECTIONS.index(path.partition(".")[0])


def comparison_rows(compared: ComparedResults, baseline: int) -> Iterator[ComparisonRow]:
    """The rows that at least one result has a number for."""
    found = {
        f"serving.{workload}.{metric}": (compared.serving_number(workload, metric), is_lower_better)
        for workload in compared.workloads
        for metric, is_lower_better in _SERVING.items()
    }
    found |= {
        f"training.{job}.{metric}": (compared.training_number(job, metric), is_lower_better)
        for job in compared.training_jobs
        for metric, is_lower_better in _training(compared.trains_alike(job)).items()
    }
    cluster = {**_WORK, **_CLUSTER} if compared.workloads else {**_WORK, **_WHOLE, **_CLUSTER}
    paths = sorted(cluster, key=_section_order)
    found |= {path: (compared.number(path), cluster[path]) for path in paths}
    for path, (number, is_lower_better) in found.items():
        if any(value is not None for value in number.values):
            indices = range(len(number.values))
            differences = tuple(number.difference(index, baseline) for index in indices)
            yield ComparisonRow(path, number.values, differences, is_lower_better)
