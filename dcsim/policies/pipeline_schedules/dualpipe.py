"""DualPipe: two pipelines in opposite directions on the same stages."""

from __future__ import annotations

from collections.abc import Iterator

from dcsim.formulas.training.schedule import MicroBatchTime, PipelineSize
from dcsim.policies.pipeline_schedule import PipelineSchedule


class Dualpipe(PipelineSchedule):
    """Micro-batches enter from both ends, so that each stage holds two copies of the weights.

    DeepSeek-AI, "DeepSeek-V3 Technical Report", 2024, arXiv:2412.19437, table 2: bubble
    (p/2 - 1)(t_{f&b} + t_b - 3 t_W), parameters twice, activations p + 1. A forward and a backward pass that
    overlap are taken to last as long as one after the other, since what overlaps is their communication.
    """

    def bubble_s(self, size: PipelineSize, time: MicroBatchTime) -> float:
        """(p/2 - 1)(t_f + 2 t_b - 3 t_W), at least nothing."""
        idle_s = time.forward_s + 2.0 * time.backward_s - 3.0 * time.weight_backward_s
        return max(0.0, size.num_stages / 2.0 - 1.0) * max(0.0, idle_s)

    def num_kept_micro_batches(self, size: PipelineSize) -> float:
        """p + 1."""
        return float(min(size.num_micro_batches, size.num_stages + 1))

    def num_weight_copies(self) -> int:
        """Two."""
        return 2

    def hidden_dispatch_frac(self) -> float:
        """All of it: dispatch of one direction runs beside computation of the other."""
        return 1.0

    def problems(self, size: PipelineSize) -> Iterator[tuple[str, str]]:
        """An even number of stages, and micro-batches for both directions."""
        yield from super().problems(size)
        if size.num_stages % 2:
            yield f"needs an even number of stages, not {size.num_stages}", "Change pipeline"
        if size.num_micro_batches % 2 or size.num_micro_batches < 2 * size.num_stages:
            yield (
                f"needs an even number of micro-batches, at least {2 * size.num_stages}; "
                f"there are {size.num_micro_batches}",
                "Enlarge the batch, or lessen data or pipeline",
            )
