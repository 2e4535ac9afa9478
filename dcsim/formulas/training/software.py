"""Training software as structural facts and one efficiency: what overlaps, what is fused, what it keeps."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Overlap:
    """Which share of the time beside it a communication may hide in, and what both then lose.

    ``compute_slowdown_frac`` is the compute lost for each second of communication beside it: kernels of
    collectives take multiprocessors and memory bandwidth (DeepSeek-V3, arXiv:2412.19437, section 3.2.2,
    sets aside 20 of 132). ``network_slowdown_frac`` is what the hidden communication loses.
    """

    tensor_frac: float = 0.0
    context_frac: float = 0.0
    expert_frac: float = 0.0
    pipeline_frac: float = 0.0
    gradients_frac: float = 0.0
    parameters_frac: float = 0.0
    compute_slowdown_frac: float = 0.0
    network_slowdown_frac: float = 0.0
    tensor_gradients_frac: float = 0.0  # of what summing up gradients of inputs over tensor ranks may hide in


@dataclass(frozen=True, slots=True)
class SoftwareFacts:
    """A training framework. ``efficiency_frac`` is the one fitted scalar: ideal over actual operator time."""

    efficiency_frac: float = 1.0
    overlap: Overlap = field(default_factory=Overlap)
    has_flash_attention: bool = True
    attention_frac: float | None = (
        None  # most of the peak that its forward kernel reaches, causal half counted
    )
    recomputes_layer_end: bool = True  # also the product whose result only leaves the layer
    elementwise_factor: float = 1.0  # memory traffic between the products over that of fused kernels
    loss_bytes: float = 10.0  # moved per logit: 16 bits read, 32 written, 16 of gradient written and read
    cast_bytes: float = 4.0  # per element that is made narrow: 16 bits read, 8 written twice, once transposed
    layer_host_s: float = 0.0  # the host's time to launch one layer's forward pass; twice that backward
    expert_host_s: float = 0.0  # likewise to route tokens and launch one layer's experts
    step_host_s: float = 0.0  # exposed once per step: loss, logging, schedule
    send_host_s: float = 0.0  # the host's, exposed by each send between stages that devices wait for
    gradient_bytes: float = 4.0  # per parameter, accumulated and kept
    fuses_accumulation: bool = True  # products add to the kept gradients; else a kernel behind each does
    reduced_bytes: float = 4.0  # per parameter, sent to be summed up
    gradient_pass_bytes: float = 0.0  # moved per parameter and step by kernels on all kept gradients
    update_pass_bytes: float = 0.0  # likewise on what a rank updates, beyond norm and optimiser
    gathered_bytes: float = 2.0  # per parameter, gathered
    splits_sends: bool = True  # tensor ranks send their part of what goes to the next stage
    num_buckets: int = 8  # parts in which gradients are reduced: the last one is exposed
    jitter_frac: float = 0.0  # standard deviation of one rank's step over its mean
    slow_nodes_frac: float = 0.0  # share of nodes that are slower than the others, and stay in the job
    reserved_bytes: float = 0.0  # context, communication buffers, workspace
    fragmentation_frac: float = 0.0  # of the activations
    logit_bytes: float = 12.0  # per logit at the peak: three copies in 32 bits, see the presets
    dispatch_bytes: float = 2.0  # per element of a token sent to an expert
    sends_tokens_once: bool = False  # to each scale-up domain that holds one of its experts
    repeats_keys: bool = False  # keys and values for all query heads, and gathers them whole over a context
    keeps_narrow_inputs: bool = True  # inputs of narrow linear layers are kept in their type
    keeps_gathered_inputs: bool = False  # of tensor-parallel products, instead of gathering them again
    has_master_weights: bool = True  # in 32 bits beside 16-bit weights
