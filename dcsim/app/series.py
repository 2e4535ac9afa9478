"""The series of a result, taken apart: ``series.json`` is nested plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dcsim import Result

Series = Mapping[str, Any]


def workload_series(result: Result) -> dict[str, Series]:
    """The series of each workload."""
    found = result.series["serving"]
    assert isinstance(found, Mapping)
    return dict(found)


def power_series(result: Result) -> Series:
    """The power of all nodes over time."""
    found = result.series["power"]
    assert isinstance(found, Mapping)
    return found


def probabilities(result: Result) -> list[float]:
    """The probabilities that the quantiles are of."""
    found = result.series["probabilities"]
    assert isinstance(found, list)
    return found
