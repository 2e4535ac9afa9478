"""Prediction intervals: how far a run's figures may be off, by calibration and by replication together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, median

from dcsim.formulas.estimation import CONFIDENCE_FRAC
from dcsim.metrics.figures import Figure, Figures, leaves, put
from dcsim.metrics.latency import LATENCIES
from dcsim.metrics.replication import Replication
from dcsim.metrics.stability import Verdict
from dcsim.metrics.summary import Summary
from dcsim.spec.scenario import Scenario

CLUSTER_SECTIONS = ("energy", "carbon", "cost")
_PILOT_SECTIONS = ("serving", *CLUSTER_SECTIONS)
_SECTIONS = ("serving", "training", *CLUSTER_SECTIONS)
_NOT_PREDICTED = ("explain", "window", "observed", "stability", "timeline", "duration_s", "max")
_ATTAINMENT = "slo_attainment_frac"
_BY_DIFFERENCE = (_ATTAINMENT,)  # shares near 0 or 1: a ratio of two would say nothing
_GOODPUT, _OFFERED = "goodput_requests_per_s", "offered_requests_per_s"
_LEAST_KNOWN_FRAC = 0.95  # of the draws must have a number for it to get an interval
_FAITHFUL_FACTOR = 1.3  # pilots whose p99 TTFT is further off do not show the queues of the whole run
_ROUNDING = 1e-9

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pilot:
    """The figures of one pilot, and the workloads that had no steady state in it."""

    figures: Mapping[Path, Figure]
    unstable: frozenset[str] = frozenset()

    @property
    def workloads(self) -> list[str]:
        """The names of the workloads, in order."""
        return list(dict.fromkeys(path[1] for path in self.figures if path[0] == "serving"))


@dataclass(frozen=True, slots=True)
class Spread:
    """How far effects reach below and above nothing, in their own unit; None is without bound."""

    down: float
    up: float | None


def pilot_figures(one: Replication) -> Pilot:
    """The figures of a pilot for which intervals can be told."""
    figures = {
        path: value
        for path, value in leaves(one.figures())
        if path[0] in _PILOT_SECTIONS and not set(path) & set(_NOT_PREDICTED)
    }
    unstable = [
        name for name, workload in one.workloads.items() if workload.stability.verdict is Verdict.UNSTABLE
    ]
    return Pilot(figures, frozenset(unstable))


def numbers(figures: Figures, sections: Sequence[str]) -> dict[Path, float]:
    """The numbers in some sections of a replication's figures for which intervals can be told."""
    return {
        path: float(value)
        for path, value in leaves({name: figures.get(name) for name in sections})
        if not set(path) & set(_NOT_PREDICTED)
        and _number(value) is not None
        and isinstance(value, int | float)
    }


def prediction_intervals(measured: Summary, baseline: Pilot, draws: Sequence[Pilot | None]) -> Figures:
    """``[low, high]`` of each number under its own path; None for an end without bound.

    The baseline is the pilot with the calibration as it is. A draw's effect is the ratio of its pilot to
    the median pilot (for SLO attainment, and where there is nothing to divide by, the difference): all
    have the same requests, and the median of many is a steadier middle than the baseline, whose p99 is
    one of few. How far the effects reach to either side, by ``spread``, and the half-width over
    replications add in quadrature. A draw without a steady state, where the baseline has one, or without
    any system (None), has endless latencies. Maxima are left out: a pilot is too short to tell them.
    """
    widths = dict(leaves(measured.intervals))
    found: Figures = {}
    for path, value in leaves({name: measured.values.get(name) for name in _SECTIONS}):
        effects = _effects(path, baseline, draws)
        if effects is None or not isinstance(value, int | float):
            continue
        width = widths.get(path)
        ends = _ends(path, value, effects, width if isinstance(width, float) else 0.0)
        if ends is not None:
            put(found, path, ends)
    for name in baseline.workloads:
        _cap_goodput(found, measured.values, name)
    return found


def pilot_notes(measured: Summary, baseline: Pilot, draws: Sequence[Pilot | None]) -> Iterator[str]:
    """A note for each workload whose pilots do not queue as the whole run does."""
    values = dict(leaves(measured.values))
    for name in baseline.workloads:
        path = ("serving", name, "ttft_s", "p99")
        value, pilots = _number(values.get(path)), _known(path, baseline, draws)
        if value is None or not pilots or not 0.0 < median(pilots) < math.inf:
            continue
        middle = median(pilots)
        if max(value / middle, middle / value) > _FAITHFUL_FACTOR:
            yield (
                f"{name}: the p99 of TTFT is {value:.3g} s, but {middle:.3g} s in the short pilots that the "
                "draws run: where queues build up slowly, prediction intervals of latencies are too narrow"
            )


def slo_met_probability(
    scenario: Scenario, name: str, measured: Summary, baseline: Pilot, draws: Sequence[Pilot | None]
) -> float | None:
    """P(the SLO is met): the mean over draws of the chance that attainment reaches what is asked.

    A draw moves the attainment by as much as its pilot differs from the median pilot; the replications'
    half-width makes each a normal law. Draws without a steady state, where the baseline has one, miss. None
    without limits.
    """
    slo = scenario.serving[name].slo
    path = ("serving", name, _ATTAINMENT)
    value, width = (dict(leaves(one)).get(path) for one in (measured.values, measured.intervals))
    has_limits = any(limit is not None for limit in (slo.ttft_s, slo.tpot_s, slo.e2e_s))
    effects = _effects(path, baseline, draws)
    if not has_limits or effects is None or not isinstance(value, float):
        return None
    error = (width if isinstance(width, float) else 0.0) / _quantile((1.0 + CONFIDENCE_FRAC) / 2.0)
    chances = []
    for draw, effect in zip(draws, effects.sizes, strict=True):
        lost = draw is None or _is_lost(name, baseline, draw)
        attained = 0.0 if lost else min(max(value + (effect or 0.0), 0.0), 1.0)
        margin = attained - slo.attainment_frac
        chances.append(NormalDist(0.0, error).cdf(margin) if error > 0 else float(margin >= 0.0))
    return math.fsum(chances) / len(chances)


def spread(effects: Sequence[float], confidence_frac: float = CONFIDENCE_FRAC) -> Spread:
    """How far effects reach to either side with that confidence, by two half-normal laws joined at zero.

    The law of each side has the root mean square of the effects on it, and the side's share of all effects
    as its weight: with half of them above, the reach is 1.96 root mean squares. A few dozen effects tell a
    root mean square, but not a 97.5 % quantile. Infinite effects that are more than a tail have no bound.

    >>> spread([-1.0, 1.0])
    Spread(down=1.9599639845400536, up=1.9599639845400536)
    """
    tail_frac = (1.0 - confidence_frac) / 2.0
    num = len(effects)
    up_frac = tail_frac - sum(math.isinf(one) for one in effects) / num
    above = [one for one in effects if 0.0 < one < math.inf]
    below = [-one for one in effects if one < 0.0]
    has_bound = up_frac > _ROUNDING
    return Spread(_reach(below, num, tail_frac), _reach(above, num, up_frac) if has_bound else None)


def _reach(sizes: Sequence[float], num_effects: int, tail_frac: float) -> float:
    share_frac = len(sizes) / num_effects
    if share_frac <= tail_frac:
        return 0.0
    mean_square = math.fsum(size * size for size in sizes) / len(sizes)
    return _quantile(1.0 - tail_frac / (2.0 * share_frac)) * math.sqrt(mean_square)


def _quantile(probability: float) -> float:
    return NormalDist().inv_cdf(probability)


@dataclass(frozen=True, slots=True)
class _Effects:
    """What each draw does to a number, as differences of the logarithm or of the number itself."""

    sizes: Sequence[float | None]  # None of draws that cannot be, or lack the number
    are_logs: bool

    def known(self) -> list[float]:
        """The sizes that there are."""
        return [size for size in self.sizes if size is not None]


def _effects(path: Path, baseline: Pilot, draws: Sequence[Pilot | None]) -> _Effects | None:
    """The effects of the draws on a number; None where the baseline or too few draws have it."""
    known = _known(path, baseline, draws)
    if not known or not draws or path[-1] in _NOT_PREDICTED:
        return None
    middle = median(known)
    middle = middle if middle < math.inf else known[0]
    drawn = [_drawn(path, baseline, draw) for draw in draws]
    are_logs = path[-1] not in _BY_DIFFERENCE and min(known) > 0.0
    if are_logs:
        return _Effects([None if one is None else math.log(one / middle) for one in drawn], are_logs)
    return _Effects([None if one is None else one - middle for one in drawn], are_logs)


def _known(path: Path, baseline: Pilot, draws: Sequence[Pilot | None]) -> list[float]:
    """A number of all pilots that have it, the baseline's first; none where the baseline lacks it."""
    base = _number(baseline.figures.get(path))
    drawn = [_drawn(path, baseline, draw) for draw in draws]
    return [] if base is None else [base, *(one for one in drawn if one is not None)]


def _drawn(path: Path, baseline: Pilot, draw: Pilot | None) -> float | None:
    """A draw's number: infinite for the latencies of a draw without a steady state, None if it has none."""
    is_latency = path[0] == "serving" and path[2] in LATENCIES
    value = None if draw is None else _number(draw.figures.get(path))
    if is_latency and (draw is None or value is None or _is_lost(path[1], baseline, draw)):
        return math.inf
    return value


def _is_lost(name: str, baseline: Pilot, draw: Pilot) -> bool:
    """Whether a draw took a workload's steady state away."""
    return name in draw.unstable and name not in baseline.unstable


def _ends(path: Path, value: float, effects: _Effects, width: float) -> list[Figure] | None:
    if len(effects.known()) < _LEAST_KNOWN_FRAC * len(effects.sizes):
        return [None, None]  # too many draws cannot be at all to say how far it may go
    reach = spread(effects.known())
    down, up = reach.down, reach.up
    if effects.are_logs:
        down = value - value * math.exp(-down)
        up = None if up is None else value * math.exp(up) - value
    if down == up == width == 0.0:
        return None
    low = value - math.hypot(down, width)
    high = None if up is None else value + math.hypot(up, width)
    if value >= 0.0:
        low = max(low, 0.0)
    if high is not None and path[-1].endswith("_frac"):
        high = min(high, max(value, 1.0))
    return [low, high]


def _cap_goodput(found: Figures, values: Figures, name: str) -> None:
    """Let no goodput exceed what is offered."""
    predicted, path = dict(leaves(found)), ("serving", name, _OFFERED)
    ends, offered = predicted.get(("serving", name, _GOODPUT)), predicted.get(path)
    most = offered[1] if isinstance(offered, list) else dict(leaves(values)).get(path)
    if isinstance(ends, list) and isinstance(ends[1], float) and isinstance(most, int | float):
        ends[1] = min(ends[1], most)


def _number(value: Figure) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
