"""What a pipeline schedule decides: the time that stages idle, what they keep in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class MicroBatchTime:
    """What one micro-batch costs the mean stage: forward, and backward split by what it computes."""

    forward_s: float
    input_backward_s: float  # gradients of activations, recomputation and exposed communication included
    weight_backward_s: float  # gradients of weights, which no other stage waits for

    @property
    def backward_s(self) -> float:
        """The whole backward pass."""
        return self.input_backward_s + self.weight_backward_s


@dataclass(frozen=True, slots=True)
class PipelineSize:
    """Stages, chunks of layers per stage (virtual stages), and micro-batches of a step."""

    num_stages: int
    num_chunks: int
    num_micro_batches: int


class Schedule(Protocol):
    """A pipeline schedule, as the formulas see it; the policies in ``pipeline_schedules`` are such."""

    def bubble_s(self, size: PipelineSize, time: MicroBatchTime) -> float:
        """Time of a step in which a stage has nothing to do."""
        ...

    def num_kept_micro_batches(self, size: PipelineSize) -> float:
        """Micro-batches whose activations the fullest stage keeps at once."""
        ...

    def num_weight_copies(self) -> int:
        """Copies of the weights in the pipeline."""
        ...

    def hidden_dispatch_frac(self) -> float:
        """Share of the computation beside it in which dispatch to experts hides, whatever the software."""
        ...
