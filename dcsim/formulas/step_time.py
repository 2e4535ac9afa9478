"""The time of one engine step, from what the step has to do.

A step is the sum over its operators of launch + (compute^4 + memory^4)^(1/4), times the residual of the
measured kernel where the profile has one. All functions take floats or arrays; work that is not there takes
no time, its launch included.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dcsim.formulas.deployment import Ceiling, Deployment
from dcsim.formulas.indexer import index_bytes, index_times
from dcsim.formulas.linear_attention import CHUNK_KERNELS, decode_state_time, state_bytes
from dcsim.formulas.memory import kv_bytes_per_token
from dcsim.formulas.network.collectives import all_gather_time, all_reduce_time, send_time
from dcsim.formulas.operators import (
    Elementwise,
    Matmul,
    lm_head,
    sampling_kernel,
    token_kernels,
    token_matmuls,
)
from dcsim.formulas.residual import ResidualCurve
from dcsim.formulas.roofline import Floats, smooth_max
from dcsim.formulas.transformer import (
    TransformerShape,
    attended_tokens,
    decode_flops_per_pair,
    flops_per_pair,
    num_active_parameters,
    num_attention_layers,
    num_embedding_parameters,
    num_local_layers,
)


@dataclass(frozen=True, slots=True)
class StepTime:
    """A time by cause. The parts add up to the whole; each may be an array."""

    compute_s: Floats = 0.0
    memory_s: Floats = 0.0
    launch_s: Floats = 0.0
    network_s: Floats = 0.0
    host_s: Floats = 0.0

    def __add__(self, other: StepTime) -> StepTime:
        """Both, one after the other."""
        return StepTime(
            self.compute_s + other.compute_s,
            self.memory_s + other.memory_s,
            self.launch_s + other.launch_s,
            self.network_s + other.network_s,
            self.host_s + other.host_s,
        )

    @property
    def total_s(self) -> Floats:
        """All of it."""
        return self.compute_s + self.memory_s + self.launch_s + self.network_s + self.host_s


@dataclass(frozen=True, slots=True)
class StepWork:
    """What one step does; each field a number or an array. See the columns of the table ``steps``."""

    num_tokens: Floats = 0.0
    num_decodes: Floats = 0.0
    decode_context_tokens: Floats = 0.0
    num_prefill_chunks: Floats = 0.0
    prefill_pairs: Floats = 0.0
    prefill_square: Floats = 0.0
    prefill_context_tokens: Floats = 0.0
    num_sampled: Floats = 0.0


def token_time(d: Deployment, num_tokens: Floats) -> StepTime:
    """Work that depends on the number of tokens only, over all layers and pipeline stages.

    Projections, MLP or experts, norms, rotary positions, activations, residual adds, embedding; the two
    all-reduces per layer of tensor parallelism (Shoeybi et al., "Megatron-LM", 2019, arXiv:1909.08053,
    section 3) and the sends between pipeline stages.
    """
    time = StepTime()
    for product in token_matmuls(d, num_tokens):
        time = time + _matmul_time(d, product)
    for kernel in token_kernels(d):
        time = time + elementwise_time(d, kernel, num_tokens)
    message = num_tokens * (d.shape.hidden_size * d.wide_bytes)
    network_s = 2 * d.shape.num_layers * all_reduce_time(d.tensor_wire, d.tensor, message)
    network_s = network_s + (d.pipeline - 1) * send_time(d.pipeline_wire, message)
    return time + StepTime(network_s=network_s)


def sampling_time(d: Deployment, num_sampled: Floats) -> StepTime:
    """LM head for the sequences that get a token, gathering of their logits, and sampling."""
    time = _matmul_time(d, lm_head(d, num_sampled)) + elementwise_time(d, sampling_kernel(d), num_sampled)
    message = num_sampled * (d.shape.vocab_size * d.wide_bytes)
    return time + StepTime(network_s=all_gather_time(d.tensor_wire, d.tensor, message))


def decode_attention_time(d: Deployment, num_decodes: Floats, context_tokens: Floats) -> StepTime:
    """Attention of decodes over all layers.

    ``context_tokens`` is the sum over decodes of the tokens in their context. The roofline is affine in it
    for a fixed number of decodes; the residual of the measured kernels bends it, and so does the window of
    local layers, against which the mean context is held; see :func:`decode_knots`.
    """
    local, layers = d.shape.local, num_attention_layers(d.shape) - num_local_layers(d.shape)
    time = _decode_layers_time(d, layers, num_decodes, context_tokens)
    if d.shape.linear is not None:
        time = time + StepTime(memory_s=decode_state_time(d, num_decodes) + 0.0 * context_tokens)
    if local is None:
        return time
    in_windows = np.minimum(context_tokens, local.window * num_decodes)
    compute_s, memory_s = index_times(d, context_tokens, context_tokens)
    time = time + StepTime(compute_s=compute_s, memory_s=memory_s)
    return time + _decode_layers_time(d, local.num_layers, num_decodes, in_windows)


def _decode_layers_time(d: Deployment, layers: int, num_decodes: Floats, context_tokens: Floats) -> StepTime:
    """Attention of decodes over so many layers, each of which attends to the whole of the context given."""
    cached_bytes = context_tokens * (kv_bytes_per_token(d) * (layers / num_attention_layers(d.shape)))
    flops = layers * context_tokens * (decode_flops_per_pair(d.shape) * _head_share(d))
    compute_s = flops / (d.attention_peak_flops_per_s * d.decode.compute_frac)
    memory_s = cached_bytes / (d.memory_bytes_per_s * d.decode.memory_frac)
    launch_s = layers * d.decode.launch_s * np.minimum(num_decodes, 1.0)
    curve = decode_residual(d)
    if curve is None:
        return _roofline_time(compute_s, memory_s, launch_s)
    batch = np.maximum(num_decodes, 1.0)
    return _roofline_time(
        compute_s, memory_s, launch_s, curve.factor(batch, np.maximum(context_tokens / batch, 1.0))
    )


def decode_residual(d: Deployment) -> ResidualCurve | None:
    """The residual of decode attention over (batch, context per sequence), if the profile has one."""
    return _attention_residual(d, d.decode)


def prefill_residual(d: Deployment) -> ResidualCurve | None:
    """The residual of prefill attention over (tokens of a chunk, number of chunks)."""
    return _attention_residual(d, d.prefill)


def decode_knots(d: Deployment) -> npt.NDArray[np.float64]:
    """Contexts per sequence, ascending, at which the time of decode attention bends; none if it is affine."""
    curve, local = decode_residual(d), d.shape.local
    measured = np.empty(0) if curve is None else np.round(2.0 ** curve.log2_axes[1])
    return measured if local is None else np.union1d(measured, float(local.window))


@dataclass(frozen=True, slots=True)
class PrefillCosts:
    """What attention of prompt chunks costs per unit of work, over all layers."""

    compute_s_per_pair: float
    memory_s_per_context_token: float
    memory_s_per_query_token: float
    launch_s: float
    causal_square_frac: float
    residual: ResidualCurve | None = None
    shape: TransformerShape | None = None  # given for the windows of local layers
    index_s_per_pair: float = 0.0

    def parts_s(
        self, num_chunks: Floats, pairs: Floats, square: Floats, context_tokens: Floats
    ) -> tuple[Floats, Floats]:
        """Compute and memory time of one kernel per layer over all chunks of a step.

        ``pairs`` sums chunk x cached tokens, ``square`` sums chunk^2, of which a causal kernel computes
        ``causal_square_frac``; ``context_tokens`` sums the keys and values read, cached and new. Queries
        and outputs are counted as sqrt(num_chunks x square) tokens: exact for equal chunks, else a little
        more (Cauchy-Schwarz). In local layers each query meets a window at most, see
        :func:`attended_tokens`.
        """
        query_tokens = (num_chunks * square) ** 0.5
        pairs = pairs + self.causal_square_frac * square
        index_s = self.index_s_per_pair * pairs
        if self.shape is not None and self.shape.local is not None:
            pairs = attended_tokens(self.shape, pairs, query_tokens)
            windows = num_chunks + query_tokens / self.shape.local.window
            context_tokens = attended_tokens(self.shape, context_tokens, windows)
        compute_s = self.compute_s_per_pair * pairs + index_s
        moved_s = self.memory_s_per_context_token * context_tokens
        return compute_s, moved_s + self.memory_s_per_query_token * query_tokens


def prefill_costs(d: Deployment) -> PrefillCosts:
    """The unit costs of prefill attention. Linear attention adds launches; the rest of it goes by tokens."""
    layers = num_attention_layers(d.shape)
    linear_launch_s = (d.shape.num_layers - layers) * CHUNK_KERNELS * d.elementwise.launch_s
    bytes_per_s = d.memory_bytes_per_s * d.prefill.memory_frac
    flops_per_s = d.attention_peak_flops_per_s * d.prefill.compute_frac
    query_bytes = 2.0 * layers * d.num_local_heads * d.shape.head_size * d.wide_bytes
    return PrefillCosts(
        compute_s_per_pair=layers * flops_per_pair(d.shape) * _head_share(d) / flops_per_s,
        memory_s_per_context_token=kv_bytes_per_token(d) / bytes_per_s,
        memory_s_per_query_token=query_bytes / bytes_per_s,
        launch_s=layers * d.prefill.launch_s + linear_launch_s,
        causal_square_frac=d.causal_square_frac,
        residual=prefill_residual(d),
        shape=d.shape,
        index_s_per_pair=float(sum(index_times(d, 1.0, 0.0))),
    )


def prefill_attention_time(
    d: Deployment, num_chunks: Floats, pairs: Floats, square: Floats, context_tokens: Floats
) -> StepTime:
    """Attention of prompt chunks over all layers; see :meth:`PrefillCosts.parts_s`."""
    costs = prefill_costs(d)
    compute_s, memory_s = costs.parts_s(num_chunks, pairs, square, context_tokens)
    launch_s = costs.launch_s * np.minimum(num_chunks, 1.0)
    if costs.residual is None:
        return _roofline_time(compute_s, memory_s, launch_s)
    count = np.maximum(num_chunks, 1.0)
    factor = costs.residual.factor(np.maximum(prompt_equivalent_tokens(count, pairs, square), 1.0), count)
    return _roofline_time(compute_s, memory_s, launch_s, factor)


def prompt_equivalent_tokens(num_chunks: Floats, pairs: Floats, square: Floats) -> Floats:
    """The length of as many whole prompts that attend to as many pairs: sqrt((2 pairs + square) / n).

    Kernels are measured on whole prompts; a chunk with a cached context is taken to run as well as a prompt
    with as much to do.
    """
    return ((2.0 * pairs + square) / num_chunks) ** 0.5


def host_time(d: Deployment, num_sampled: Floats) -> StepTime:
    """Exposed host time of a step: a part per step and a part per sequence that gets a token."""
    return StepTime(host_s=d.step_overhead_s + d.sequence_overhead_s * num_sampled)


def prompt_host_time(d: Deployment, num_chunks: Floats) -> StepTime:
    """What the host adds to a step that has prompt chunks: kernels launched layer by layer."""
    layers = d.shape.num_layers * np.minimum(num_chunks, 1.0)
    return StepTime(host_s=layers * d.prompt_layer_overhead_s)


def num_operators(d: Deployment) -> int:
    """Operators of a step: products, what stands between them, attention and all-reduces."""
    layers = d.shape.num_layers
    products = sum(product.count for product in token_matmuls(d, 1.0))
    others = sum(kernel.count for kernel in token_kernels(d))
    return products + others + layers * (3 if d.tensor > 1 else 1)


def step_floor_time(d: Deployment, num_tokens: Floats) -> Floats:
    """What the host needs for a step, however little the devices have to do.

    It prepares the next step meanwhile, and goes through a step that has too many tokens to be replayed as a
    CUDA graph operator by operator: just beyond that many tokens a step lasts longer at once, as in engines.
    """
    eager_s = max(num_operators(d) * d.eager_operator_s, d.step_floor_s)
    floor_s: Floats = np.where(np.asarray(num_tokens) > d.max_graph_tokens, eager_s, d.step_floor_s)
    return floor_s


def floored(d: Deployment, time: StepTime, num_tokens: Floats) -> StepTime:
    """The time with the host's floor under it."""
    device_s = time.compute_s + time.memory_s + time.launch_s + time.network_s
    return time + StepTime(host_s=np.maximum(step_floor_time(d, num_tokens) - device_s, 0.0))


def step_time(d: Deployment, work: StepWork) -> StepTime:
    """The whole step: its operators one after the other, and the host's exposed time."""
    decode = decode_attention_time(d, work.num_decodes, work.decode_context_tokens)
    prefill = prefill_attention_time(
        d, work.num_prefill_chunks, work.prefill_pairs, work.prefill_square, work.prefill_context_tokens
    )
    rest = sampling_time(d, work.num_sampled) + host_time(d, work.num_sampled)
    rest = rest + prompt_host_time(d, work.num_prefill_chunks)
    return floored(d, token_time(d, work.num_tokens) + decode + prefill + rest, work.num_tokens)


def step_flops(d: Deployment, work: StepWork) -> Floats:
    """Model operations of the step per accelerator, the mean over ranks.

    Two per active weight and token, the LM head for sampled sequences only, and attention over the
    pairs that a causal mask leaves (half of the square): what MFU counts (Chowdhery et al., "PaLM", 2022,
    arXiv:2204.02311, appendix B). Padding, copies of KV heads and recomputation do not count.
    """
    shape = d.shape
    body = num_active_parameters(shape) - num_embedding_parameters(shape)
    query_tokens = (work.num_prefill_chunks * work.prefill_square) ** 0.5
    pairs = attended_tokens(shape, work.prefill_pairs + 0.5 * work.prefill_square, query_tokens)
    decoded = attended_tokens(shape, work.decode_context_tokens, work.num_decodes)
    pairs = flops_per_pair(shape) * pairs + decode_flops_per_pair(shape) * decoded
    head = shape.vocab_size * shape.hidden_size
    flops = 2.0 * (body * work.num_tokens + head * work.num_sampled) + num_attention_layers(shape) * pairs
    return flops / (d.tensor * d.pipeline)


def step_bytes(d: Deployment, work: StepWork) -> Floats:
    """Bytes that the step moves through each accelerator's memory, the mean over ranks.

    Weights, inputs and outputs of every product, the kernels between them, the KV cache read, the states of
    linear attention read and written, and the scores of an indexer.
    """
    context = _read_tokens(d.shape, work)
    head, sampling = lm_head(d, work.num_sampled), sampling_kernel(d)
    states = 2.0 * (d.shape.num_layers - num_attention_layers(d.shape)) * state_bytes(d) * work.num_decodes
    pairs = work.decode_context_tokens + work.prefill_pairs + 0.5 * work.prefill_square
    scores = index_bytes(d, pairs, work.decode_context_tokens + work.prefill_context_tokens)
    total = context * kv_bytes_per_token(d) + states + scores
    total = total + head.bytes(d) + sampling.bytes_per_row * work.num_sampled
    for product in token_matmuls(d, work.num_tokens):
        total = total + product.count * product.bytes(d)
    for kernel in token_kernels(d):
        total = total + kernel.count * kernel.bytes_per_row * work.num_tokens
    return total / d.pipeline


def _read_tokens(shape: TransformerShape, work: StepWork) -> Floats:
    """Cached tokens that attention reads in the mean layer."""
    if shape.local is None:
        return work.decode_context_tokens + work.prefill_context_tokens
    query_tokens = (work.num_prefill_chunks * work.prefill_square) ** 0.5
    windows = work.num_prefill_chunks + query_tokens / shape.local.window
    decoded = attended_tokens(shape, work.decode_context_tokens, work.num_decodes)
    return decoded + attended_tokens(shape, work.prefill_context_tokens, windows)


def _head_share(d: Deployment) -> float:
    """The share of the query heads that one rank works on."""
    return d.num_local_heads / d.shape.num_heads


def _matmul_time(d: Deployment, product: Matmul) -> StepTime:
    compute_s, memory_s = product.times(d)
    launch_s = product.ceiling.launch_s * np.minimum(product.num_rows, 1.0)
    factor = product.count * product.residual_factor()
    return _roofline_time(compute_s, memory_s, launch_s, factor)


def elementwise_time(d: Deployment, kernel: Elementwise, num_rows: Floats) -> StepTime:
    """Time of all runs of a kernel between the products, on so many rows."""
    memory_s = kernel.bytes_per_row * num_rows / (d.memory_bytes_per_s * d.elementwise.memory_frac)
    launch_s = d.elementwise.launch_s * np.minimum(num_rows, 1.0)
    table = d.kernel_residuals.get(kernel.name)
    factor: Floats = kernel.count
    if table is not None:
        factor = factor * table.at(kernel.bytes_per_row).factor(np.maximum(num_rows, 1.0))
    return StepTime(memory_s=factor * memory_s, launch_s=factor * launch_s)


def _attention_residual(d: Deployment, ceiling: Ceiling) -> ResidualCurve | None:
    """Measured for heads with keys and values of their own; latent attention runs other kernels."""
    if ceiling.residual is None or d.shape.latent is not None:
        return None
    return ceiling.residual.at(d.num_local_heads, d.num_local_kv_heads, d.shape.head_size)


def _roofline_time(compute_s: Floats, memory_s: Floats, launch_s: Floats, factor: Floats = 1.0) -> StepTime:
    compute_s, memory_s = smooth_max(compute_s, memory_s)
    return StepTime(compute_s=factor * compute_s, memory_s=factor * memory_s, launch_s=factor * launch_s)
