"""Whether a result meets the SLOs of its workloads, in one word."""

from __future__ import annotations

from enum import StrEnum

from dcsim.metrics.stability import Verdict
from dcsim.result import Result


class SloStatus(StrEnum):
    """How a result stands to its SLOs, the worst of its workloads."""

    MET = "met"
    MISSED = "missed"
    UNDECIDED = "undecided"  # the replications disagree, or no request arrived
    NO_LIMITS = "no_limits"


_FROM_WORST = (SloStatus.MISSED, SloStatus.UNDECIDED, SloStatus.MET, SloStatus.NO_LIMITS)


def slo_status(result: Result) -> SloStatus:
    """How a result stands to its SLOs. Without a steady state a workload misses its limits in the end.

    A result that serves nothing has no limits.
    """
    found = {_workload_status(result, name) for name in result.scenario.serving}
    return next((status for status in _FROM_WORST if status in found), SloStatus.NO_LIMITS)


def has_steady_state(result: Result) -> bool:
    """Whether every workload of a result has one; the latencies of the others are withheld."""
    return all(_verdict(result, name) != Verdict.UNSTABLE for name in result.scenario.serving)


def _workload_status(result: Result, name: str) -> SloStatus:
    slo = result.scenario.serving[name].slo
    if slo.ttft_s is None and slo.tpot_s is None and slo.e2e_s is None:
        return SloStatus.NO_LIMITS
    is_met = result.view.find(f"serving.{name}.is_slo_met")
    if _verdict(result, name) == Verdict.UNSTABLE or is_met is False:
        return SloStatus.MISSED
    return SloStatus.MET if is_met is True else SloStatus.UNDECIDED


def _verdict(result: Result, name: str) -> object:
    return result.view.find(f"serving.{name}.stability.verdict")
