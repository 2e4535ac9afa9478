"""Where a job's step times come from, and the network that may slow them down."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Protocol

from dcsim.formulas.training.step import StepCondition
from dcsim.sim.training.run import StepParts


class StepTime(Protocol):
    """A step: how long it takes, and the mean power of each accelerator above idle in it."""

    @property
    def total_s(self) -> float:
        """Its time."""

    @property
    def accelerator_rise_w(self) -> float:
        """Mean power above idle."""


class StepSource(Protocol):
    """A training job as far as its steps are concerned: what the resolved deployment offers."""

    @property
    def num_nodes(self) -> int:
        """Nodes of the whole gang."""

    @property
    def num_accelerators(self) -> int:
        """Accelerators of the whole gang."""

    @property
    def num_data_parallel(self) -> int:
        """Replicas of the model in it: what an elastic job can lose."""

    def step(self, condition: StepCondition) -> StepTime:
        """A step under a condition."""


class Occupation(Protocol):
    """A lasting use of the fabric."""

    @property
    def share_frac(self) -> float:
        """What it gets of what it asks for, 0 to 1."""

    def release(self) -> None:
        """End it."""


class Network(Protocol):
    """What carries a job's collectives between nodes."""

    def occupy(self, nodes: Sequence[int], on_change: Callable[[float], None]) -> Occupation:
        """Use the fabric between these nodes until released; ``on_change`` is told every new share."""


class ConditionedSteps:
    """Steps of a source by condition, each computed once."""

    def __init__(self, source: StepSource) -> None:
        self._source = source
        self._step = lru_cache(maxsize=4096)(source.step)
        self._undisturbed = self._step(StepCondition())

    @property
    def undisturbed_s(self) -> float:
        """The step when nothing is wrong."""
        return self._undisturbed.total_s

    def num_replicas_on(self, num_nodes: int) -> int:
        """Whole replicas of the model that fit on so many of the gang's nodes."""
        return self._source.num_data_parallel * num_nodes // self._source.num_nodes

    def parts(self, num_nodes: int, share_frac: float, slow_factor: float) -> StepParts:
        """The step on so many nodes, with that share of the fabric, at the pace of the slowest rank.

        Without any share it is infinitely long.
        """
        num_replicas = self.num_replicas_on(num_nodes)
        left = None if num_replicas == self._source.num_data_parallel else num_replicas
        shrunk = self._step(StepCondition(num_data_parallel=left))
        if share_frac <= 0.0:  # cut off: the step never ends
            return StepParts(self.undisturbed_s, shrunk.total_s - self.undisturbed_s, contention_s=math.inf)
        shared = self._step(StepCondition(scale_out_share_frac=share_frac, num_data_parallel=left))
        full = self._step(
            StepCondition(
                scale_out_share_frac=share_frac, slowest_rank_factor=slow_factor, num_data_parallel=left
            )
        )
        return StepParts(
            undisturbed_s=self.undisturbed_s,
            shrink_s=shrunk.total_s - self.undisturbed_s,
            contention_s=shared.total_s - shrunk.total_s,
            slow_s=full.total_s - shared.total_s,
            accelerator_rise_w=full.accelerator_rise_w,
        )
