"""Where the time of a training step goes: causes that add up to the whole."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace


@dataclass(frozen=True, slots=True)
class StepCauses:
    """Seconds of one optimiser step by cause, on the critical path; communication is what stays exposed."""

    compute_s: float = 0.0
    memory_s: float = 0.0
    launch_s: float = 0.0  # floors of kernels on the device
    recompute_s: float = 0.0
    tensor_s: float = 0.0
    context_s: float = 0.0
    expert_s: float = 0.0
    pipeline_s: float = 0.0  # sends between stages
    data_s: float = 0.0  # gradients, and weights that are shared out
    overlap_s: float = 0.0  # what computation loses to communication beside it
    bubble_s: float = 0.0
    optimizer_s: float = 0.0
    offload_s: float = 0.0
    host_s: float = 0.0
    straggler_s: float = 0.0
    input_s: float = 0.0
    generation_s: float = 0.0  # of samples, before the step (reinforcement learning)

    @property
    def total_s(self) -> float:
        """All causes together: the step."""
        return float(sum(getattr(self, one.name) for one in fields(StepCauses)))

    def by_name(self) -> dict[str, float]:
        """The causes, by name without unit."""
        return {one.name.removesuffix("_s"): getattr(self, one.name) for one in fields(StepCauses)}


@dataclass(frozen=True, slots=True)
class TrainingStep(StepCauses):
    """One optimiser step: its time by cause, and how well the accelerators are used.

    MFU and HFU are model and hardware operations over the dense peak of the linear layers' datatype. The
    whole square of attention is counted, as Megatron-LM and PaLM do, unless the causal half is asked for.
    """

    num_tokens: float = 0.0
    mfu_frac: float = 0.0
    hfu_frac: float = 0.0
    accelerator_rise_w: float = 0.0  # mean power of each accelerator above idle

    @property
    def tokens_per_s(self) -> float:
        """Tokens trained per second by the whole job."""
        return self.num_tokens / self.total_s

    def after_generation(self, generation_s: float) -> TrainingStep:
        """The step with the generation of its samples before it, at the same power."""
        if generation_s == 0.0:
            return self
        training_frac = self.total_s / (self.total_s + generation_s)
        return replace(
            self,
            generation_s=generation_s,
            mfu_frac=self.mfu_frac * training_frac,
            hfu_frac=self.hfu_frac * training_frac,
        )
