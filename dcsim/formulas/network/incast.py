"""Incast: what a port loses when too many flows end at it. An assumption, off unless asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dcsim.formulas.network.max_min import Mask, Numbers


@dataclass(frozen=True, slots=True)
class IncastPenalty:
    """A port at which more than ``max_fan_in`` flows end carries ``lost_frac`` less.

    No public measurements give this number for lossless fabrics: an estimate to explore with, not a result.
    """

    max_fan_in: float
    lost_frac: float


def incast_capacities(capacities: Numbers, fan_in: Numbers, is_end: Mask, penalty: IncastPenalty) -> Numbers:
    """Capacities of links, less the penalty on those that end at a host and have too many flows.

    A port of 50 GB/s at which 200 flows end, more than 64, with 10 % lost: 45 GB/s.
    """
    is_crowded = is_end & (fan_in > penalty.max_fan_in)
    return np.where(is_crowded, capacities * (1 - penalty.lost_frac), capacities)
