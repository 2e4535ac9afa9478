"""The verdict on a workload: does it meet its SLO, and does it have a steady state at all?"""

from __future__ import annotations

from dataclasses import dataclass

from dcsim.report.numbers import PERCENT, TIME, given_text, percent_text
from dcsim.result import Estimate, SummaryView
from dcsim.spec.serving import Slo

_SURELY_NOT, _SURELY = 0.05, 0.95  # two dozen draws cannot tell more


@dataclass(frozen=True, slots=True)
class Verdict:
    """A few words in capitals, their colour, and the reason.

    The code is unstable, nothing_measured, no_slo, borderline, meets or misses; ``saturated_`` stands before
    the last four where the run sheds load.
    """

    code: str
    words: str
    style: str
    reason: str


def verdict_of(serving: SummaryView, slo: Slo) -> Verdict:
    """The verdict on one workload."""
    stability = serving["stability"]
    assert isinstance(stability, SummaryView)
    reason = str(stability["reason"])
    if stability["verdict"] == "unstable":
        return Verdict("unstable", "UNSTABLE", "bold red", reason)
    met = _slo_verdict(serving, slo)
    if stability["verdict"] == "saturated":
        return Verdict(
            f"saturated_{met.code}",
            f"SATURATED, {met.words}",
            "bold red" if "MISSES" in met.words else "bold yellow",
            f"{reason}; {met.reason}",
        )
    return met


def limits_of(slo: Slo) -> dict[str, float]:
    """The limits that an SLO sets, by the latency's name."""
    limits = {"ttft_s": slo.ttft_s, "tpot_s": slo.tpot_s, "e2e_s": slo.e2e_s}
    return {name: limit for name, limit in limits.items() if limit is not None}


def _slo_verdict(serving: SummaryView, slo: Slo) -> Verdict:
    limits = limits_of(slo)
    attainment = serving.get("slo_attainment_frac")
    if not isinstance(attainment, Estimate):
        return Verdict(
            "nothing_measured", "NOTHING MEASURED", "bold yellow", "no request arrived in the measured window"
        )
    if not limits:
        finished = percent_text(attainment.value, attainment.half_width, attainment.prediction)
        return Verdict("no_slo", "NO SLO SET", "bold", f"{finished} of the requests offered finished")
    asked = " and ".join(f"{name[:-2].upper()} ≤ {given_text(limit, TIME)}" for name, limit in limits.items())
    reason = (
        f"{percent_text(attainment.value, attainment.half_width, attainment.prediction)} of the requests "
        f"offered met {asked}; "
        f"asked for {given_text(slo.attainment_frac, PERCENT)}"
    )
    is_met = serving.get("is_slo_met")
    low, high = attainment.interval
    chance = serving.number("slo_met_probability")
    words = "" if chance is None else f", P(SLO met) {chance_text(chance)}"
    if is_met is None:
        disagree = f"{reason}; the replications disagree"
        return Verdict("borderline", f"BORDERLINE{words}", "bold yellow", disagree)
    if low < slo.attainment_frac <= high and low < high:
        reason += ", which lies within the interval"
    is_doubtful = chance is not None and _SURELY_NOT < chance < _SURELY
    style = "bold yellow" if is_doubtful else "bold green" if is_met else "bold red"
    does = "meets" if is_met else "misses"
    return Verdict(does, f"{does.upper()} ITS SLO{words}", style, reason)


def chance_text(probability: float) -> str:
    """A probability in whole percent, with no more certainty than a few dozen draws give.

    >>> chance_text(0.871), chance_text(1.0), chance_text(0.01)
    ('87 %', '> 95 %', '< 5 %')
    """
    if probability > _SURELY:
        return f"> {_SURELY:.0%}".replace("%", " %")
    if probability < _SURELY_NOT:
        return f"< {_SURELY_NOT:.0%}".replace("%", " %")
    return f"{probability:.0%}".replace("%", " %")
