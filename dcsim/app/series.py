"""The series of a result, taken apart: ``series.json`` is nested plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dcsim import Result

Series = Mapping[str, Any]


def has_part(result: Result, part: str) -> bool:
    """Whether something of that part of the cluster was simulated: serving, training, jobs, fabric, ..."""
    return bool(result.summary.get(part))


def part_series(result: Result, part: str) -> Series:
    """The series of one part of the cluster; empty where it was not simulated."""
    found = result.series.get(part)
    return found if isinstance(found, Mapping) else {}


def workload_series(result: Result) -> dict[str, Series]:
    """The series of each workload."""
    return dict(part_series(result, "serving"))


def power_series(result: Result) -> Series:
    """The power of all nodes over time."""
    return part_series(result, "power")


def probabilities(result: Result) -> list[float]:
    """The probabilities that the quantiles are of."""
    found = result.series["probabilities"]
    assert isinstance(found, list)
    return found


def end_s(result: Result) -> float:
    """When the first replication ended: the end of its power timeline."""
    power = power_series(result)
    started_at_s = power.get("started_at_s") or [0.0]
    bin_s = power.get("bin_s") or (started_at_s[1] - started_at_s[0] if len(started_at_s) > 1 else 0.0)
    return float(started_at_s[-1] + bin_s)
