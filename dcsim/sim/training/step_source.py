"""Where a job's step times come from, and the network that may slow them down."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Protocol

import simpy

from dcsim.formulas.training.step import StepCondition
from dcsim.sim.training.run import StepParts

_NUM_CONDITIONS = 4096  # kept


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


class NetworkUse(Protocol):
    """A lasting use of the fabric."""

    @property
    def share_frac(self) -> float:
        """What it gets of what it asks for, 0 to 1."""

    def follow(self, step_s: float) -> None:
        """Use it as steps of this length do."""

    def release(self) -> None:
        """End it."""


class Network(Protocol):
    """What carries a job's collectives between nodes."""

    def occupy(self, nodes: Sequence[int], on_change: Callable[[float], None]) -> NetworkUse:
        """Use the fabric between these nodes until released; ``on_change`` is told every new share."""


class SampleReading(Protocol):
    """A lasting read of samples."""

    @property
    def bytes_per_s(self) -> float | None:
        """Rate at which samples arrive; None where steps need not wait for them."""

    @property
    def steps_to_change(self) -> float:
        """Steps until samples come from elsewhere, from a cache say; infinite for never."""

    def count(self, num_steps: float) -> None:
        """So many steps have been done."""

    def follow(self, step_s: float) -> None:
        """Read for steps that last so long if they need not wait for samples."""

    def pause(self) -> None:
        """Read nothing until the next ``follow``."""

    def release(self) -> None:
        """End it."""


class Samples(Protocol):
    """Where a job's samples come from while it computes, and what is done with them before and between."""

    def stage(self, nodes: Sequence[int]) -> simpy.Event | None:
        """Begin to bring to these nodes, or to where they read it, what they lack; None if nothing."""

    @property
    def next_shuffle(self) -> float:
        """Steps after which the data set is shuffled next; infinite for never."""

    def shuffle(self, nodes: Sequence[int]) -> simpy.Event:
        """Begin to shuffle it from these nodes, or go on with it."""

    def occupy(self, nodes: Sequence[int], on_change: Callable[[float], None]) -> SampleReading:
        """Read to these nodes until released; ``on_change`` is told every new share of what it asks for."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What sets the pace of a job's steps at a time."""

    num_nodes: int
    share_frac: float = 1.0  # of what it asks of the fabric
    slow_factor: float = 1.0  # of its slowest rank
    input_bytes_per_s: float | None = None  # at which samples arrive; always there if None


class ConditionedSteps:
    """Steps of a source by condition, each computed once: ``parts`` of a pace."""

    def __init__(self, source: StepSource) -> None:
        self._source = source
        self._step = lru_cache(maxsize=_NUM_CONDITIONS)(source.step)
        self.parts = lru_cache(maxsize=_NUM_CONDITIONS)(self._parts)
        self._undisturbed = self._step(StepCondition())

    @property
    def undisturbed_s(self) -> float:
        """The step when nothing is wrong."""
        return self._undisturbed.total_s

    def num_replicas_on(self, num_nodes: int) -> int:
        """Whole replicas of the model that fit on so many of the gang's nodes."""
        return self._source.num_data_parallel * num_nodes // self._source.num_nodes

    def _parts(self, pace: Pace) -> StepParts:
        """The step at a pace, by what stretches it: infinitely long for a job that is cut off."""
        num_replicas = self.num_replicas_on(pace.num_nodes)
        left = None if num_replicas == self._source.num_data_parallel else num_replicas
        condition = StepCondition(num_data_parallel=left)
        shrunk = self._step(condition)
        shrink_s = shrunk.total_s - self.undisturbed_s
        if pace.share_frac <= 0.0:
            return StepParts(self.undisturbed_s, shrink_s, contention_s=math.inf)
        if pace.input_bytes_per_s is not None and pace.input_bytes_per_s <= 0.0:
            return StepParts(self.undisturbed_s, shrink_s, input_s=math.inf)
        condition = replace(condition, scale_out_share_frac=pace.share_frac)
        shared = self._step(condition)
        condition = replace(condition, slowest_rank_factor=pace.slow_factor)
        slowed = self._step(condition)
        fed = self._step(replace(condition, input_bytes_per_s=pace.input_bytes_per_s))
        return StepParts(
            undisturbed_s=self.undisturbed_s,
            shrink_s=shrink_s,
            contention_s=shared.total_s - shrunk.total_s,
            slow_s=slowed.total_s - shared.total_s,
            input_s=fed.total_s - slowed.total_s,
            accelerator_rise_w=fed.accelerator_rise_w,
        )
