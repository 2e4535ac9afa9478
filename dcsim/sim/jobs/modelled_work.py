"""Work whose end is told and not timed: what it does on its nodes is simulated elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from dcsim.sim.holdings import Holder


@dataclass(frozen=True, slots=True)
class Stop:
    """A job has lost its nodes, which are free again."""

    cause: str
    is_failure: bool  # else there was time to save the work
    is_kept: bool  # whether the work up to now counts; else that up to its last checkpoint
    is_final: bool = False  # it was restarted too often


class ModelledWork(Protocol):
    """What a job of the queue does that is modelled, on whole nodes.

    It asks the cluster for nodes again after a stop, and says when it has ended.
    """

    @property
    def holder(self) -> Holder:
        """Who has the nodes."""

    @property
    def num_accelerators_per_node(self) -> float:
        """What it computes on, of each node."""

    @property
    def restart_s(self) -> float:
        """What the scheduler expects to pass without progress at the beginning of a run after a stop."""

    @property
    def left_frac(self) -> float:
        """Share of its work that is not done."""

    def on_start(self, nodes: tuple[int, ...]) -> None:
        """It has these nodes from now on."""

    def on_stop(self, stop: Stop) -> None:
        """It has them no more."""

    def on_slow(self, node: int) -> None:
        """A node, perhaps one of its own, has become slow."""
