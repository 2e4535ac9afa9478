"""What every pipeline schedule is: how long stages idle, and what they keep meanwhile."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

from dcsim.formulas.training.schedule import MicroBatchTime, PipelineSize
from dcsim.plugins import Policy


class PipelineSchedule(Policy):
    """Base of all pipeline schedules."""

    @abstractmethod
    def bubble_s(self, size: PipelineSize, time: MicroBatchTime) -> float:
        """Time of a step in which a stage has nothing to do."""

    @abstractmethod
    def num_kept_micro_batches(self, size: PipelineSize) -> float:
        """Micro-batches whose activations the fullest stage keeps at once; chunks count as their share."""

    def num_weight_copies(self) -> int:
        """Copies of the weights in the pipeline."""
        return 1

    def hidden_dispatch_frac(self) -> float:
        """Share of the computation beside it in which dispatch to experts hides, whatever the software."""
        return 0.0

    def problems(self, size: PipelineSize) -> Iterator[tuple[str, str]]:
        """What makes the schedule impossible with these sizes: a message, and a remedy."""
        if size.num_chunks > 1:
            yield (
                "this schedule has one chunk of layers per stage",
                "Set virtual_stages: 1, or schedule: interleaved",
            )
