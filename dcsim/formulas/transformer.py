"""Transformers: shape, parameters, floating-point operations and KV-cache size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dcsim.formulas.roofline import Floats


@dataclass(frozen=True, slots=True)
class MixtureOfExperts:
    """The experts of one mixture-of-experts layer."""

    num_experts: int
    num_experts_per_token: int
    expert_ffn_size: int
    num_shared_experts: int = 0
    num_dense_layers: int = 0  # layers that keep the dense MLP (DeepSeek-V3: the first 3)
    is_interleaved: bool = (
        False  # the dense layers stand evenly among the others (Llama 4 Maverick: every other)
    )
    has_biases: bool = False  # added to what enters the activation, and to what leaves the expert


@dataclass(frozen=True, slots=True)
class LatentAttention:
    """Multi-head latent attention (MLA; DeepSeek-V2, arXiv:2405.04434, section 2.1)."""

    kv_rank: int
    query_rank: int | None
    rope_head_size: int
    nope_head_size: int
    value_head_size: int


@dataclass(frozen=True, slots=True)
class Indexer:
    """The heads that choose what sparse attention attends to."""

    num_heads: int
    head_size: int


@dataclass(frozen=True, slots=True)
class LocalAttention:
    """Layers where a token attends to so many tokens at most: a window, or the choice of sparse attention."""

    num_layers: int
    window: int
    is_cache_freed: bool = False  # whether engines give back the KV cache that the window has left
    indexer: Indexer | None = None


@dataclass(frozen=True, slots=True)
class LinearAttention:
    """Layers that keep a state of fixed size in place of a KV cache: the gated delta rule (arXiv:2412.06464).

    A short convolution over queries, keys and values goes before; each value head has a state of key by
    value size.
    """

    num_layers: int
    num_key_heads: int
    num_value_heads: int
    key_head_size: int
    value_head_size: int
    conv_size: int


@dataclass(frozen=True, slots=True)
class TransformerShape:
    """The sizes that decide what a decoder-only transformer costs."""

    num_layers: int
    hidden_size: int
    num_heads: int
    num_kv_heads: int
    head_size: int
    ffn_size: int
    vocab_size: int
    is_gated: bool = True
    has_tied_embeddings: bool = False
    experts: MixtureOfExperts | None = None
    latent: LatentAttention | None = None
    local: LocalAttention | None = None
    has_qk_norm: bool = False
    linear: LinearAttention | None = None
    has_output_gate: bool = False  # a gate as wide as the queries multiplies attention's output
    has_parallel_blocks: bool = False  # attention and MLP read the same normalised input (GPT-J, PaLM)


def num_attention_layers(shape: TransformerShape) -> int:
    """Layers whose attention looks at other tokens' keys and values."""
    return shape.num_layers - (0 if shape.linear is None else shape.linear.num_layers)


def num_linear_attention_parameters(shape: TransformerShape) -> int:
    """Weights of one layer of linear attention: queries, keys, values, gate, two gates per head, output."""
    linear = shape.linear
    if linear is None:
        return 0
    keys, values = (
        linear.num_key_heads * linear.key_head_size,
        linear.num_value_heads * linear.value_head_size,
    )
    projections = shape.hidden_size * (2 * keys + 2 * values + 2 * linear.num_value_heads + values)
    return projections + linear.conv_size * (2 * keys + values)


def num_attention_parameters(shape: TransformerShape) -> int:
    """Weights of one layer's attention: query, key, value and output projections, or MLA's compressed ones.

    MLA after DeepSeek-V2 (arXiv:2405.04434, section 2.1): down-projections to the ranks of queries and
    keys-values, up-projections from them, and the output projection.
    """
    hidden, heads = shape.hidden_size, shape.num_heads
    if shape.latent is None:
        query_and_output = (3 if shape.has_output_gate else 2) * hidden * heads * shape.head_size
        return query_and_output + 2 * hidden * shape.num_kv_heads * shape.head_size
    latent = shape.latent
    query_width = heads * (latent.nope_head_size + latent.rope_head_size)
    if latent.query_rank is None:
        query = hidden * query_width
    else:
        query = hidden * latent.query_rank + latent.query_rank * query_width
    down = hidden * (latent.kv_rank + latent.rope_head_size)
    up = latent.kv_rank * heads * (latent.nope_head_size + latent.value_head_size)
    return query + down + up + heads * latent.value_head_size * hidden


def num_mlp_matrices(shape: TransformerShape) -> int:
    """Weight matrices of one MLP: gate, up and down, or up and down."""
    return 3 if shape.is_gated else 2


def num_dense_layers(shape: TransformerShape) -> int:
    """Layers with a dense MLP."""
    return shape.num_layers if shape.experts is None else shape.experts.num_dense_layers


def num_dense_mlp_parameters(shape: TransformerShape) -> int:
    """Weights of one dense MLP."""
    return num_mlp_matrices(shape) * shape.hidden_size * shape.ffn_size


def num_expert_parameters(shape: TransformerShape) -> int:
    """Weights of one expert; 0 for a dense model."""
    if shape.experts is None:
        return 0
    return num_mlp_matrices(shape) * shape.hidden_size * shape.experts.expert_ffn_size


def num_embedding_parameters(shape: TransformerShape) -> int:
    """Weights of the embedding and the LM head: one matrix where they are tied."""
    return (1 if shape.has_tied_embeddings else 2) * shape.vocab_size * shape.hidden_size


def num_parameters(shape: TransformerShape) -> int:
    """All weights, norms and biases left out (below 0.01 % of the total).

    >>> llama_2_7b = TransformerShape(32, 4096, 32, 32, 128, 11008, 32000)
    >>> round(num_parameters(llama_2_7b) / 1e9, 2)
    6.74
    """
    return _num_parameters(shape, None)


def num_active_parameters(shape: TransformerShape) -> int:
    """Weights that one token meets: of the routed experts only the chosen ones."""
    return _num_parameters(shape, shape.experts.num_experts_per_token if shape.experts else None)


def _num_parameters(shape: TransformerShape, num_routed: int | None) -> int:
    attention = num_attention_layers(shape) * num_attention_parameters(shape)
    attention += num_local_layers(shape) * _num_indexer_parameters(shape)
    attention += (shape.num_layers - num_attention_layers(shape)) * num_linear_attention_parameters(shape)
    mlp = num_dense_layers(shape) * num_dense_mlp_parameters(shape)
    if shape.experts is not None:
        experts = shape.experts.num_experts if num_routed is None else num_routed
        experts += shape.experts.num_shared_experts
        router = shape.hidden_size * shape.experts.num_experts
        mlp += (shape.num_layers - shape.experts.num_dense_layers) * (
            experts * num_expert_parameters(shape) + router
        )
    return attention + mlp + num_embedding_parameters(shape)


def _num_indexer_parameters(shape: TransformerShape) -> int:
    """Weights of one layer's indexer: queries (from the compressed ones, if any), a key, head weights."""
    indexer = None if shape.local is None else shape.local.indexer
    if indexer is None:
        return 0
    rank = None if shape.latent is None else shape.latent.query_rank
    queries = (rank or shape.hidden_size) * indexer.num_heads * indexer.head_size
    return queries + shape.hidden_size * (indexer.head_size + indexer.num_heads)


def flops_per_pair(shape: TransformerShape) -> int:
    """Operations of one query token on one key token, over all heads of one layer: scores, then values.

    4 x heads x head size (Narayanan et al., "Efficient Large-Scale Language Model Training on GPU Clusters
    Using Megatron-LM", 2021, arXiv:2104.04473, appendix). MLA: keys have nope + rope, values their own width.
    """
    if shape.latent is None:
        return 4 * shape.num_heads * shape.head_size
    latent = shape.latent
    return 2 * shape.num_heads * (latent.nope_head_size + latent.rope_head_size + latent.value_head_size)


def decode_flops_per_pair(shape: TransformerShape) -> int:
    """The same for decodes. MLA decodes in the latent space, with the up-projections absorbed.

    Scores over kv_rank + rope, values over kv_rank (DeepSeek-V2, arXiv:2405.04434, section 2.1.2).
    """
    if shape.latent is None:
        return flops_per_pair(shape)
    return 2 * shape.num_heads * (2 * shape.latent.kv_rank + shape.latent.rope_head_size)


def kv_elements_per_token(shape: TransformerShape, num_kv_heads: int) -> int:
    """Cached elements of one token over all layers: keys and values of so many heads, or the latent of MLA.

    The latent has no heads: it is whole wherever any of it is (DeepSeek-V2, arXiv:2405.04434, section 2.1).
    """
    layers = num_attention_layers(shape)
    if shape.latent is not None:
        return layers * (shape.latent.kv_rank + shape.latent.rope_head_size)
    return layers * 2 * num_kv_heads * shape.head_size


def num_local_layers(shape: TransformerShape) -> int:
    """Layers whose attention is limited to a window."""
    return 0 if shape.local is None else shape.local.num_layers


def cached_layers_frac(shape: TransformerShape) -> float:
    """Share of the layers with a KV cache whose cache grows with the context.

    Where engines free what a window has left (vLLM documentation, "Hybrid KV Cache Manager"), the windows
    themselves are left out: 128 tokens of half the layers of gpt-oss, beside contexts of thousands.
    """
    if shape.local is None or not shape.local.is_cache_freed:
        return 1.0
    return 1.0 - shape.local.num_layers / num_attention_layers(shape)


def attended_tokens(shape: TransformerShape, tokens: Floats, num_queries: Floats) -> Floats:
    """Tokens that so many queries attend to in the mean layer, given ``tokens`` to attend to in all.

    Full layers attend to all of them, local layers to a window of each query at most:
    tokens - share of local layers x max(tokens - window x queries, 0). Only the sum over the queries is
    known, so that the mean query is held against the window: exact where all are on one side of it, else
    too much by at most the shortfall of the queries below it (min is concave, Jensen).

    >>> gpt_oss = TransformerShape(36, 2880, 64, 8, 64, 2880, 201088, local=LocalAttention(18, 128))
    >>> float(attended_tokens(gpt_oss, 2 * 1024.0, 2.0))  # half the layers read 1024, half 128 per query
    1152.0
    """
    if shape.local is None:
        return tokens
    beyond = np.maximum(tokens - shape.local.window * num_queries, 0.0)
    return tokens - shape.local.num_layers / num_attention_layers(shape) * beyond
