"""Resampling: a scenario whose calibrated constants are drawn anew from what is known of their errors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import numpy as np
from pydantic import PrivateAttr

from dcsim.catalog.accelerator import Accelerator
from dcsim.catalog.efficiency import Efficiency, OperatorEfficiency, OperatorUncertainty
from dcsim.catalog.engine import Engine, OverheadName
from dcsim.catalog.loader import entry_names, provenance
from dcsim.formulas.datatypes import Datatype
from dcsim.formulas.residual import ResidualTable
from dcsim.sim.streams import Streams
from dcsim.spec.deployment import resolve_efficiency, resolve_precision
from dcsim.spec.scenario import Scenario
from dcsim.spec.serving import Prefill, Serving

# What is taken where a profile or an engine states no uncertainty of its own: standard deviations of the
# logarithm of a time. Estimates: MEASURED_TIME is about the held-out median error of fitted operators
# (5 %); ESTIMATED_TIME is twice that, for figures taken over from a like kernel; ESTIMATED_OVERHEAD spans,
# within two of it, the factor of three between orders of magnitude that a guess may be off by;
# MEASURED_OVERHEAD is about the spread of an overhead fitted over several models. POWER follows from the
# mean absolute error of 9 % of the power curve on models left out of its fit (see formulas/power.py).
MEASURED_TIME, ESTIMATED_TIME = 0.05, 0.10
MEASURED_OVERHEAD, ESTIMATED_OVERHEAD = 0.10, 0.30
POWER = 0.11
_WHY_TIME = "no uncertainty stated; about the held-out error of fitted operators"
_WHY_OVERHEAD = "no uncertainty stated; about the spread of an overhead fitted over several models"
_WHY_ESTIMATE = "no uncertainty stated, and the value is an estimate"
_WHY_POWER = "the power curve is off by 9 % on models left out of its fit"

_BY_DATATYPE = ("gemm", "grouped_gemm", "attention_decode", "attention_prefill")
_ELEMENTWISE, _COLLECTIVE = "elementwise", "all_reduce"


@dataclass(frozen=True, slots=True)
class AssumedSpread:
    """A standard deviation that is assumed, because nobody measured it."""

    parameter: str
    log_sd: float
    why: str


@dataclass(frozen=True, slots=True)
class Normals:
    """Standard normal numbers by name, of one draw of several.

    Over all draws a name's numbers are a Latin hypercube: the middles of as many equally likely strata, in
    an order that a random stream of that name gives, and scaled to a variance of one (M. D. McKay, R. J.
    Beckman and W. J. Conover, "A comparison of three methods for selecting values of input variables",
    Technometrics 21(2), 1979). A few dozen draws thus span each parameter evenly, and a parameter's numbers
    are the same whatever else is drawn.
    """

    seed: int
    draw: int
    num_draws: int

    def __getitem__(self, name: str) -> float:
        order = Streams(self.seed, 0)[f"calibration.{name}"].permutation(self.num_draws)
        return _strata(self.num_draws)[int(order[self.draw])]


@cache
def _strata(num_draws: int) -> tuple[float, ...]:
    """The middles of equally likely strata of the normal law, scaled to a variance of one."""
    middles = [NormalDist().inv_cdf((number + 0.5) / num_draws) for number in range(num_draws)]
    size = (math.fsum(one * one for one in middles) / num_draws) ** 0.5
    return tuple(one / size if size else 0.0 for one in middles)


def resampled(scenario: Scenario, normals: Normals) -> Scenario:
    """The scenario with efficiency profiles, engine overheads and power curve drawn anew.

    Workloads that share a profile or an engine share its draw: one machine is as fast as it is.
    """
    cluster = scenario.cluster
    accelerator = cluster.installed_accelerator
    serving = {
        name: one.model_copy(
            update={
                "efficiency": drawn_efficiency(
                    resolve_efficiency(one, accelerator), cluster.node.scale_up, normals
                ),
                "engine": _engine(one.engine, normals),
                "prefill": _prefill(one.prefill, normals),
            }
        )
        for name, one in scenario.serving.items()
    }
    drawn = cluster.model_copy(update={"accelerator": _accelerator(accelerator, normals)})
    return scenario.model_copy(update={"serving": serving, "cluster": drawn})


def _prefill(prefill: Prefill | None, normals: Normals) -> Prefill | None:
    """The section with its engine drawn, if it has one of its own."""
    if prefill is None or prefill.engine is None:
        return prefill
    return prefill.model_copy(update={"engine": _engine(prefill.engine, normals)})


def assumed_spreads(scenario: Scenario) -> list[AssumedSpread]:
    """The spreads that a draw of this scenario takes without a statement in the catalogue."""
    accelerator = scenario.cluster.installed_accelerator
    found: dict[str, AssumedSpread] = {}
    for serving in (pool for one in scenario.serving.values() for pool in one.pools):
        profile, engine = resolve_efficiency(serving, accelerator), serving.engine
        found |= {one.parameter: one for one in assumed_times(profile, _keys_used(serving, profile))}
        for overhead in OverheadName:
            if overhead not in engine.uncertainty and getattr(engine, _field(overhead)) > 0:
                parameter = f"engines/{engine.name} {overhead}"
                spread = _default_overhead(engine, overhead)
                why = _WHY_ESTIMATE if spread == ESTIMATED_OVERHEAD else _WHY_OVERHEAD
                found[parameter] = AssumedSpread(parameter, spread, why)
    if accelerator.power_uncertainty is None:
        parameter = f"accelerators/{accelerator.name} busy_power"
        found[parameter] = AssumedSpread(parameter, POWER, _WHY_POWER)
    return list(found.values())


def assumed_times(profile: Efficiency, keys: Iterable[str]) -> Iterator[AssumedSpread]:
    """The spreads that are assumed of some operators of a profile, because it states none."""
    for key in keys:
        if _stated(profile, key) is None:
            yield AssumedSpread(f"efficiency/{profile.name} {key}", *_default_time(profile, key))


def _keys_used(serving: Serving, profile: Efficiency) -> Iterator[str]:
    """The operators of a profile that a workload runs, with their datatypes."""
    precision = resolve_precision(serving)
    wanted = {
        "gemm": precision.activations,
        "attention_decode": precision.kv_cache,
        "attention_prefill": precision.kv_cache,
    }
    if serving.model.experts is not None:
        wanted["grouped_gemm"] = precision.activations
    yield from (f"{name}.{kind}" for name, kind in wanted.items() if kind in getattr(profile, name))
    yield _ELEMENTWISE
    if serving.parallelism.tensor > 1:
        yield _COLLECTIVE


class _DrawnEfficiency(Efficiency):
    """A profile with a factor on the time of collectives."""

    _collectives: ResidualTable = PrivateAttr()

    def residuals(self) -> Mapping[str, ResidualTable]:
        """The tables, that of collectives with the factor."""
        return {**super().residuals(), _COLLECTIVE: self._collectives}


def drawn_efficiency(profile: Efficiency, link: str, normals: Normals) -> Efficiency:
    """A profile drawn anew, with the collectives of a link."""
    drawn: dict[str, object] = {}
    for operator in _BY_DATATYPE:
        ceilings: Mapping[str, OperatorEfficiency] = getattr(profile, operator)
        drawn[operator] = {
            datatype: _ceilings(profile, one, f"{operator}.{datatype}", normals)
            for datatype, one in ceilings.items()
        }
    drawn[_ELEMENTWISE] = _ceilings(profile, profile.elementwise, _ELEMENTWISE, normals)
    table = profile.residuals().get(_COLLECTIVE) if profile.collective_link == link else None
    found = _DrawnEfficiency.model_construct(**{**dict(profile), **drawn, "collective_link": link})
    log_factor = _spread(profile, _COLLECTIVE).scale * normals[f"{profile.name}.{_COLLECTIVE}"]
    found._collectives = (table or _unit_table()).scaled([log_factor])
    return found


def _unit_table() -> ResidualTable:
    """A table that leaves times as they are, whatever the size."""
    return ResidualTable(np.ones((1, 1)), (np.array([1.0, 2.0]),), np.zeros((1, 2)))


def _ceilings(
    profile: Efficiency, ceilings: OperatorEfficiency, key: str, normals: Normals
) -> OperatorEfficiency:
    """The launch floor and the shares drawn anew; no share exceeds its peak.

    Where residuals were measured, other ceilings would have left other residuals at the same points: the
    ceilings' own covariance then has no part in the time, and only the common factor is drawn.
    """
    spread, name = _spread(profile, key), f"{profile.name}.{key}"
    own = np.array([normals[f"{name}.{part}"] for part in ("launch", "compute", "memory")])
    logs = np.zeros(3) if key in profile.residuals() else _square_root(spread.covariance) @ own
    factor = float(np.exp(spread.scale * normals[name]))
    launch, compute, memory = (float(value) for value in np.exp(logs))
    return ceilings.model_copy(
        update={
            "launch_s": ceilings.launch_s * launch * factor,
            "compute_frac": min(ceilings.compute_frac * compute / factor, 1.0),
            "memory_frac": min(ceilings.memory_frac * memory / factor, 1.0),
        }
    )


def _square_root(covariance: Sequence[Sequence[float]]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """The lower triangle L with L L^T = covariance (Cholesky); a variance of nothing leaves its row empty."""
    size = len(covariance)
    lower = np.zeros((size, size))
    for row in range(size):
        for column in range(row + 1):
            rest = covariance[row][column] - float(lower[row, :column] @ lower[column, :column])
            if row == column:
                lower[row, row] = max(rest, 0.0) ** 0.5
            elif lower[column, column] > 0.0:
                lower[row, column] = rest / lower[column, column]
    return lower


def _spread(profile: Efficiency, key: str) -> OperatorUncertainty:
    """What the profile says of an operator's error, or what is assumed of it."""
    stated = _stated(profile, key)
    if stated is not None:
        return stated
    nothing = (0.0, 0.0, 0.0)
    return OperatorUncertainty(covariance=(nothing, nothing, nothing), scale=_default_time(profile, key)[0])


def _stated(profile: Efficiency, key: str) -> OperatorUncertainty | None:
    """The operator's own statement, or that of the other 16-bit type, which runs through the same kernels."""
    operator, _, datatype = key.partition(".")
    alike = {Datatype.BF16.value: Datatype.FP16, Datatype.FP16.value: Datatype.BF16}.get(datatype)
    return profile.uncertainty.get(key) or profile.uncertainty.get(f"{operator}.{alike}")


def _default_time(profile: Efficiency, key: str) -> tuple[float, str]:
    if key == _COLLECTIVE and key not in profile.residuals():
        return ESTIMATED_TIME, _WHY_ESTIMATE
    is_estimate = any(path.startswith(f"{key}.") for path in _estimates("efficiency", profile.name))
    return (ESTIMATED_TIME, _WHY_ESTIMATE) if is_estimate else (MEASURED_TIME, _WHY_TIME)


def _engine(engine: Engine, normals: Normals) -> Engine:
    drawn = {}
    for overhead in OverheadName:
        field = _field(overhead)
        log_sd = engine.uncertainty.get(overhead, _default_overhead(engine, overhead))
        drawn[field] = getattr(engine, field) * float(np.exp(log_sd * normals[f"{engine.name}.{overhead}"]))
    return engine.model_copy(update=drawn)


def _field(overhead: OverheadName) -> str:
    return f"{overhead}_s"


def _default_overhead(engine: Engine, overhead: OverheadName) -> float:
    is_estimate = overhead.value in _estimates("engines", engine.name)
    return ESTIMATED_OVERHEAD if is_estimate else MEASURED_OVERHEAD


def _accelerator(accelerator: Accelerator, normals: Normals) -> Accelerator:
    """One factor on the power above idle; the cap is the firmware's and stays."""
    log_sd = POWER if accelerator.power_uncertainty is None else accelerator.power_uncertainty
    factor = float(np.exp(log_sd * normals[f"{accelerator.name}.busy_power"]))
    power = accelerator.busy_power
    rises = {name: getattr(power, name) * factor for name in ("active_frac", "memory_frac", "compute_frac")}
    return accelerator.model_copy(update={"busy_power": power.model_copy(update=rises)})


@cache
def _estimates(kind: str, name: str) -> frozenset[str]:
    """The paths of an entry's values that are estimates; none where the entry is the user's own."""
    if name not in entry_names(kind):
        return frozenset()
    return frozenset(one.path for one in provenance(kind, name) if one.is_estimate)
