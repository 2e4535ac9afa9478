"""Models: the neural networks that are served or trained."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dcsim.catalog.entry import Entry
from dcsim.formulas.datatypes import Datatype
from dcsim.formulas.transformer import (
    Indexer,
    LatentAttention,
    LinearAttention,
    LocalAttention,
    MixtureOfExperts,
    TransformerShape,
)


class Experts(BaseModel):
    """Mixture of experts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_experts: int = Field(gt=0, description="Routed experts per layer.")
    num_experts_per_token: int = Field(gt=0, description="Experts that each token visits (top-k).")
    expert_ffn_size: int = Field(gt=0, description="Inner width of one expert.")
    num_shared_experts: int = Field(default=0, ge=0, description="Experts that every token visits.")
    num_dense_layers: int = Field(default=0, ge=0, description="Layers with a dense MLP instead.")
    is_interleaved: bool = Field(
        default=False,
        alias="interleaved",
        description="Whether the dense layers stand evenly among the others, and not before them.",
    )
    datatype: Datatype | None = Field(
        default=None,
        description="Datatype of the routed experts' published weights; that of the others if left out.",
    )
    has_biases: bool = Field(
        default=False, alias="biased", description="Whether the products of experts have biases."
    )


class Latent(BaseModel):
    """Multi-head latent attention (MLA)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kv_rank: int = Field(gt=0, description="Width of the compressed keys and values.")
    query_rank: int | None = Field(
        default=None, description="Width of the compressed queries, if they are compressed."
    )
    rope_head_size: int = Field(gt=0, description="Width per head with rotary positions.")
    nope_head_size: int = Field(gt=0, description="Width per head without positions.")
    value_head_size: int = Field(gt=0, description="Width of one value head.")


class IndexHeads(BaseModel):
    """The indexer of sparse attention (DeepSeek-V3.2): small heads that choose what to attend to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_heads: int = Field(gt=0, description="Heads of index queries.")
    head_size: int = Field(gt=0, description="Width of one head, and of the index key that each token keeps.")


class Local(BaseModel):
    """Local attention: layers in which a token attends to a window at most, and not to its whole context."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_layers: int = Field(gt=0, description="Layers with local attention; the others attend to everything.")
    window: int = Field(
        gt=0,
        description="Tokens that one token attends to at most. Chunks (Llama 4) and sparse attention count "
        "as windows of their size.",
    )
    is_cache_freed: bool = Field(
        default=False,
        alias="frees_cache",
        description="Whether engines give back the KV cache that the window has left, so that only the other "
        "layers' cache grows with the context.",
    )
    indexer: IndexHeads | None = Field(
        default=None, description="The indexer that chooses the tokens, in sparse attention."
    )

    @property
    def shape(self) -> LocalAttention:
        """The sizes that the formulas take."""
        indexer = Indexer(**self.indexer.model_dump()) if self.indexer else None
        return LocalAttention(self.num_layers, self.window, self.is_cache_freed, indexer)


class Linear(BaseModel):
    """Linear attention: layers that keep a state of fixed size in place of a KV cache (gated delta rule)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_layers: int = Field(gt=0, description="Layers with linear attention.")
    num_key_heads: int = Field(gt=0, description="Heads of queries and keys.")
    num_value_heads: int = Field(gt=0, description="Heads of values, each with a state.")
    key_head_size: int = Field(gt=0, description="Width of one key head.")
    value_head_size: int = Field(gt=0, description="Width of one value head.")
    conv_size: int = Field(gt=0, description="Tokens of the convolution over queries, keys and values.")


class Model(Entry):
    """One decoder-only transformer."""

    kind: Literal["decoder"] = Field(
        default="decoder", description="decoder: a decoder-only transformer, the only kind that is served."
    )
    num_layers: int = Field(gt=0, description="Transformer layers.")
    hidden_size: int = Field(gt=0, description="Width of the residual stream.")
    num_heads: int = Field(gt=0, description="Query heads.")
    num_kv_heads: int = Field(
        gt=0, description="Key-value heads: equal to num_heads for MHA, 1 for MQA, between for GQA."
    )
    head_size: int = Field(gt=0, description="Width of one head.")
    ffn_size: int = Field(gt=0, description="Inner width of the dense MLP.")
    vocab_size: int = Field(gt=0, description="Vocabulary.")
    is_gated: bool = Field(
        default=True,
        alias="gated_mlp",
        description="Whether the MLP has a gate (SwiGLU): three matrices, not two.",
    )
    has_tied_embeddings: bool = Field(
        default=False, alias="tied_embeddings", description="Whether the LM head shares the embedding."
    )
    max_context_tokens: int = Field(gt=0, description="Longest context the model was trained for.")
    native_datatype: Datatype = Field(default=Datatype.BF16, description="Datatype of the published weights.")
    experts: Experts | None = Field(default=None, description="Mixture of experts, if any.")
    latent: Latent | None = Field(default=None, description="Multi-head latent attention, if any.")
    local: Local | None = Field(
        default=None, alias="local_attention", description="Layers with local attention, if any."
    )
    has_qk_norm: bool = Field(
        default=False, alias="qk_norm", description="Whether queries and keys of each head are normalised."
    )

    linear: Linear | None = Field(
        default=None, alias="linear_attention", description="Layers with linear attention, if any."
    )
    has_output_gate: bool = Field(
        default=False,
        alias="output_gate",
        description="Whether a gate as wide as the queries multiplies attention.",
    )
    has_parallel_blocks: bool = Field(
        default=False,
        alias="parallel_blocks",
        description="Whether attention and MLP stand side by side, behind one norm.",
    )

    @model_validator(mode="after")
    def _parts_within_the_layers(self) -> Self:
        if self.experts is not None and self.experts.num_dense_layers >= self.num_layers:
            raise ValueError("experts: num_dense_layers must be less than num_layers")
        cached = self.num_layers - (0 if self.linear is None else self.linear.num_layers)
        if cached < 1:
            raise ValueError("linear_attention: num_layers must be less than num_layers of the model")
        if self.linear is not None and self.latent is not None:
            raise ValueError("linear_attention and latent do not go together")
        if self.local is not None:
            most = cached - 1 if self.local.is_cache_freed else cached
            if self.local.num_layers > most:
                raise ValueError(
                    f"local_attention: num_layers must be at most {most}"
                    + (", with frees_cache" if self.local.is_cache_freed else "")
                )
        return self

    @property
    def shape(self) -> TransformerShape:
        """The sizes that the formulas take."""
        return TransformerShape(
            num_layers=self.num_layers,
            hidden_size=self.hidden_size,
            num_heads=self.num_heads,
            num_kv_heads=self.num_kv_heads,
            head_size=self.head_size,
            ffn_size=self.ffn_size,
            vocab_size=self.vocab_size,
            is_gated=self.is_gated,
            has_tied_embeddings=self.has_tied_embeddings,
            experts=MixtureOfExperts(**self.experts.model_dump(exclude={"datatype"}))
            if self.experts
            else None,
            latent=LatentAttention(**self.latent.model_dump()) if self.latent else None,
            local=self.local.shape if self.local else None,
            has_qk_norm=self.has_qk_norm,
            linear=LinearAttention(**self.linear.model_dump()) if self.linear else None,
            has_output_gate=self.has_output_gate,
            has_parallel_blocks=self.has_parallel_blocks,
        )
