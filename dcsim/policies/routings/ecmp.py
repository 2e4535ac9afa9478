"""ECMP: each queue pair of a flow is hashed onto one of the equal ways."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import Field

from dcsim.policies.routing import Crossroads, Indices, Routing

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


class Ecmp(Routing):
    """Equal-cost multi-path by hash of source, destination and queue pair, anew at each switch.

    Queue pairs carry equal parts of a flow, which is as fast as its slowest. More of them come nearer to an
    ideal spray; one alone collides as in Hopps, RFC 2992.
    """

    num_queue_pairs: int = Field(
        default=8, gt=0, le=1024, description="Queue pairs of a flow, each on a way of its own."
    )

    @property
    def num_paths(self) -> int:
        """A way for each queue pair."""
        return self.num_queue_pairs

    def branches(self, at: Crossroads) -> tuple[Indices, Indices]:
        """One choice for each queue pair."""
        key = np.zeros(len(at.sources), dtype=np.uint64)
        for column in (at.sources, at.destinations, at.paths, at.vertices):
            key = _mixed(key + _GOLDEN + column.astype(np.uint64))
        picks = (key % at.num_choices.astype(np.uint64)).astype(np.int64)
        return np.arange(len(picks)), picks


def _mixed(key: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """SplitMix64's finaliser (Steele, Lea and Flood, OOPSLA 2014): every bit depends on every bit."""
    key = (key ^ (key >> np.uint64(30))) * _FIRST
    key = (key ^ (key >> np.uint64(27))) * _SECOND
    return key ^ (key >> np.uint64(31))
