"""Spray: an ideal balance, every flow divided over all equal ways."""

from __future__ import annotations

import numpy as np

from dcsim.policies.routing import Crossroads, Indices, Routing


class Spray(Routing):
    """Packets go round all equal ways: what adaptive routing and packet spraying come near to.

    The other end of the range from ``ecmp`` with one queue pair: no collisions at all.
    """

    @property
    def is_spread(self) -> bool:
        """They do: packets have no memory of their way."""
        return True

    def branches(self, at: Crossroads) -> tuple[Indices, Indices]:
        """All choices."""
        rows = np.repeat(np.arange(len(at.sources)), at.num_choices)
        firsts = np.cumsum(at.num_choices) - at.num_choices
        return rows, np.arange(len(rows)) - np.repeat(firsts, at.num_choices)
