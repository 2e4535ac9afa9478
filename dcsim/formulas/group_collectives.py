"""Collectives of groups of ranks: what was measured on a network first, a formula elsewhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dcsim.formulas.collective_curve import CollectiveCurve, neighbours
from dcsim.formulas.group_network import Collective, GroupNetwork, bus_bytes_frac
from dcsim.formulas.nccl_time import nccl_time_s
from dcsim.formulas.roofline import Floats
from dcsim.formulas.torus_time import torus_time_s

__all__ = ["Collective", "GroupNetwork", "bus_bandwidth", "collective_time"]


def collective_time(
    kind: Collective, network: GroupNetwork, num_ranks: int, ranks_per_domain: int, num_bytes: Floats
) -> Floats:
    """Time in which ``num_ranks`` ranks, ``ranks_per_domain`` in each scale-up domain, do a collective.

    ``num_bytes`` is the full message S as nccl-tests counts it: of an all-gather all that is gathered, of a
    reduce-scatter all that is reduced, of an all-to-all what each rank sends, its own part included.

    A torus has a formula of its own. Else measured curves of the network are interpolated: over sizes by a
    cubic in logarithms, over ranks (inside a domain) or domains (across) by how far they lie from the
    tuning form at both neighbours, which also scales them to groups, sizes and shares of the network that
    were not measured: with fewer ranks per domain, the size at which each port moves as much. Without
    curves the tuning form stands alone.
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
        return torus_time_s(kind, network, num_ranks, num_bytes)
    curves = _curves(kind, network, num_ranks, ranks_per_domain)
    if not curves:
        return nccl_time_s(kind, network, num_ranks, ranks_per_domain, num_bytes)
    return _measured_s(curves, kind, network, num_ranks, ranks_per_domain, num_bytes)


def _curves(
    kind: Collective, network: GroupNetwork, num_ranks: int, ranks_per_domain: int
) -> Sequence[CollectiveCurve]:
    if network.measured is None:
        return ()
    is_inside = num_ranks <= ranks_per_domain
    return (network.measured.inside if is_inside else network.measured.spanning).get(kind, ())


def _measured_s(
    curves: Sequence[CollectiveCurve],
    kind: Collective,
    network: GroupNetwork,
    num_ranks: int,
    ranks_per_domain: int,
    num_bytes: float,
) -> float:
    """The geometric mean of what the curves on both sides say, weighted by their distance in octaves."""
    if num_ranks <= ranks_per_domain:
        low, high, share = neighbours([one.num_ranks for one in curves], num_ranks)
    else:
        num_domains = -(-num_ranks // ranks_per_domain)
        low, high, share = neighbours([one.num_domains for one in curves], num_domains)
    below_s = _scaled_s(curves[low], kind, network, num_ranks, ranks_per_domain, num_bytes)
    if share == 0.0:
        return below_s
    above_s = _scaled_s(curves[high], kind, network, num_ranks, ranks_per_domain, num_bytes)
    return math.exp((1.0 - share) * math.log(below_s) + share * math.log(above_s))


def _scaled_s(
    curve: CollectiveCurve,
    kind: Collective,
    network: GroupNetwork,
    num_ranks: int,
    ranks_per_domain: int,
    num_bytes: float,
) -> float:
    """A measured time, scaled by the tuning form from what was measured to what is asked for."""
    per_domain = min(ranks_per_domain, num_ranks)
    alike = num_bytes
    if num_ranks > per_domain and kind is not Collective.ALL_TO_ALL:
        alike *= curve.ranks_per_domain / per_domain
    alike = curve.nearest_bytes(alike)
    measured_s = curve.time_s(alike)
    is_same_group = num_ranks == curve.num_ranks and per_domain == curve.ranks_per_domain
    is_same_network = num_ranks <= per_domain or network.scale_out_share_frac == 1.0
    if is_same_group and is_same_network and alike == num_bytes:
        return measured_s
    free = network if network.scale_out_share_frac == 1.0 else replace(network, scale_out_share_frac=1.0)
    formula_s = nccl_time_s(kind, network, num_ranks, ranks_per_domain, num_bytes)
    there_s = nccl_time_s(kind, free, curve.num_ranks, curve.ranks_per_domain, alike)
    return measured_s * formula_s / there_s
