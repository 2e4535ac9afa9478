"""Collectives of groups of ranks: what was measured on a network first, a formula elsewhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from dcsim.formulas.network.collective_curve import CollectiveCurve, CollectiveCurves, neighbours
from dcsim.formulas.network.group_network import Collective, GroupNetwork, bus_bytes_frac
from dcsim.formulas.network.nccl_time import is_reduced_in_switches, nccl_time_s
from dcsim.formulas.network.torus_time import torus_time_s
from dcsim.formulas.roofline import Floats

__all__ = ["Collective", "GroupNetwork", "bus_bandwidth", "collective_time"]


class _Group(NamedTuple):
    """A collective of so many ranks and bytes, wherever it happens."""

    kind: Collective
    num_ranks: int
    ranks_per_domain: int
    num_bytes: float

    @property
    def is_spanning(self) -> bool:
        return self.num_ranks > self.ranks_per_domain

    def is_in_switches(self, network: GroupNetwork) -> bool:
        """Whether switches reduce it, if it is an all-reduce within a domain."""
        is_inside = self.kind is Collective.ALL_REDUCE and not self.is_spanning
        return is_inside and is_reduced_in_switches(network, self.num_ranks, self.num_bytes)

    def formula_s(self, network: GroupNetwork) -> float:
        return nccl_time_s(self.kind, network, self.num_ranks, self.ranks_per_domain, self.num_bytes)


def collective_time(
    kind: Collective, network: GroupNetwork, num_ranks: int, ranks_per_domain: int, num_bytes: Floats
) -> Floats:
    """Time in which ``num_ranks`` ranks, ``ranks_per_domain`` in each scale-up domain, do a collective.

    ``num_bytes`` is the full message S as nccl-tests counts it: of an all-gather all that is gathered, of a
    reduce-scatter all that is reduced, of an all-to-all what each rank sends, its own part included.

    A torus has a formula of its own. Else measured curves of the network are interpolated: over sizes by a
    cubic in logarithms, over ranks (inside a domain) or domains (across) by how far they lie from the
    tuning form at both neighbours, which also scales them to groups, sizes and shares of the network that
    were not measured: with fewer ranks per domain, the size at which each port moves as much. Within a
    domain, a curve counts where the form takes the same algorithm there and here, since how far it is off
    belongs to the algorithm. Without curves the tuning form stands alone.

    Curves of one network say little of another: what A100, H100 and B200 take more or less than the form
    does not carry over between them (docs/accuracy-collectives.md).
    """
    if isinstance(num_bytes, np.ndarray):
        times = [
            _time_s(kind, network, num_ranks, ranks_per_domain, float(size)) for size in num_bytes.ravel()
        ]
        return np.array(times, dtype=float).reshape(num_bytes.shape)
    return _time_s(kind, network, num_ranks, ranks_per_domain, num_bytes)


def bus_bandwidth(
    kind: Collective, network: GroupNetwork, num_ranks: int, ranks_per_domain: int, num_bytes: float
) -> float:
    """Bus bandwidth in bytes per second, as nccl-tests reports it."""
    moved = num_bytes * bus_bytes_frac(kind, num_ranks)
    return moved / _time_s(kind, network, num_ranks, ranks_per_domain, num_bytes)


def _time_s(
    kind: Collective, network: GroupNetwork, num_ranks: int, ranks_per_domain: int, num_bytes: float
) -> float:
    if num_ranks <= 1 or num_bytes <= 0.0:
        return 0.0
    if network.torus_axes:
        return network.time_factor * torus_time_s(kind, network, num_ranks, num_bytes)
    asked = _Group(kind, num_ranks, min(ranks_per_domain, num_ranks), num_bytes)
    curves = _curves(network.measured, asked)
    time_s = _measured_s(curves, network, asked) if curves else asked.formula_s(network)
    return network.time_factor * time_s


def _curves(measured: CollectiveCurves | None, asked: _Group) -> Sequence[CollectiveCurve]:
    if measured is None:
        return ()
    return (measured.spanning if asked.is_spanning else measured.inside).get(asked.kind, ())


def _measured_s(curves: Sequence[CollectiveCurve], network: GroupNetwork, asked: _Group) -> float:
    """Time by the curves on both sides, which count by their distance in octaves."""
    if asked.is_spanning:
        num_domains = -(-asked.num_ranks // asked.ranks_per_domain)
        low, high, share = neighbours([one.num_domains for one in curves], num_domains)
    else:
        low, high, share = neighbours([one.num_ranks for one in curves], asked.num_ranks)
    is_free = network.scale_out_share_frac == 1.0
    if _is_of(curves[low], asked) and (is_free or not asked.is_spanning):
        return curves[low].time_s(asked.num_bytes)
    free = network if is_free else replace(network, scale_out_share_frac=1.0)
    log_ratio = _between(
        _log_ratio(curves[low], free, asked),
        _log_ratio(curves[high], free, asked) if share > 0.0 else None,
        share,
    )
    return asked.formula_s(network) * math.exp(log_ratio)


def _between(low: float | None, high: float | None, share: float) -> float:
    """The value at a share of the way; the only one where there is one, zero where there is none."""
    if low is None:
        return 0.0 if high is None else high
    return low if high is None else low + share * (high - low)


def _is_of(curve: CollectiveCurve, asked: _Group) -> bool:
    """Whether the curve holds what is asked for: the same group, a size among the measured."""
    is_alike = curve.num_ranks == asked.num_ranks and curve.ranks_per_domain == asked.ranks_per_domain
    return is_alike and curve.nearest_bytes(asked.num_bytes) == asked.num_bytes


def _log_ratio(curve: CollectiveCurve, network: GroupNetwork, asked: _Group) -> float | None:
    """How far the form is off for the curve's group, at the size that compares with what is asked for.

    With another number of ranks per domain, that is the size at which each port moves as much: a port of an
    all-reduce, gather or scatter carries what the ranks of a domain share, of an all-to-all a rank's own.
    Below the measured sizes the ratio stays what it is at the smallest; above them the difference in
    seconds stays what it is at the largest, since large messages differ by latency and ramp. Rings say
    nothing of in-switch reduction, nor it of them: None.
    """
    alike = asked.num_bytes
    if asked.is_spanning and asked.kind is not Collective.ALL_TO_ALL:
        alike *= curve.ranks_per_domain / asked.ranks_per_domain
    nearest = curve.nearest_bytes(alike)
    there = _Group(asked.kind, curve.num_ranks, curve.ranks_per_domain, nearest)
    if asked.is_in_switches(network) is not there.is_in_switches(network):
        return None
    measured_s, formula_s = curve.time_s(nearest), there.formula_s(network)
    if alike > nearest:
        beyond_s = there._replace(num_bytes=alike).formula_s(network)
        measured_s, formula_s = max(measured_s, beyond_s + measured_s - formula_s), beyond_s
    return math.log(measured_s / formula_s)
