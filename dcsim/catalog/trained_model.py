"""Models that are trained but not served: encoders, encoder-decoders, CNNs, recommenders and fixed costs.

Told apart from decoder-only transformers by ``kind``. Each knows its :class:`WorkloadShape`.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from dcsim.catalog.entry import Entry
from dcsim.catalog.model import Model
from dcsim.formulas.datatypes import Datatype
from dcsim.formulas.transformer import TransformerShape
from dcsim.formulas.workload_shapes import (
    RecommenderShape,
    WorkloadShape,
    bottleneck_layers,
    convolutional_workload,
    encoder_decoder_workload,
    encoder_workload,
    recommender_workload,
)
from dcsim.units import Bytes


class _Transformer(Entry):
    """What encoders and encoder-decoders have in common."""

    num_layers: int = Field(gt=0, description="Transformer layers; of an encoder-decoder, of its decoder.")
    hidden_size: int = Field(gt=0, description="Width of the residual stream.")
    num_heads: int = Field(gt=0, description="Attention heads.")
    head_size: int = Field(gt=0, description="Width of one head.")
    ffn_size: int = Field(gt=0, description="Inner width of the MLP.")
    vocab_size: int = Field(gt=0, description="Vocabulary.")
    is_gated: bool = Field(default=False, alias="gated_mlp", description="Whether the MLP has a gate.")
    has_tied_embeddings: bool = Field(
        default=True, alias="tied_embeddings", description="Whether the head shares the embedding."
    )
    native_datatype: Datatype = Field(default=Datatype.BF16, description="Datatype of the published weights.")

    @property
    def shape(self) -> TransformerShape:
        """The sizes that the formulas take."""
        return TransformerShape(
            num_layers=self.num_layers,
            hidden_size=self.hidden_size,
            num_heads=self.num_heads,
            num_kv_heads=self.num_heads,
            head_size=self.head_size,
            ffn_size=self.ffn_size,
            vocab_size=self.vocab_size,
            is_gated=self.is_gated,
            has_tied_embeddings=self.has_tied_embeddings,
        )


class Encoder(_Transformer):
    """A transformer in which every token attends to all (BERT)."""

    kind: Literal["encoder"] = Field(description="encoder: every token attends to all.")
    sequence_tokens: int = Field(gt=0, description="Tokens of one sample.")
    predicted_tokens: int = Field(
        gt=0, description="Tokens of one sample that the head predicts (the masked ones)."
    )

    @property
    def workload(self) -> WorkloadShape:
        """What one sample costs."""
        return encoder_workload(self.shape, self.sequence_tokens, self.predicted_tokens)


class EncoderDecoder(_Transformer):
    """An encoder and a decoder that attends to it (T5)."""

    kind: Literal["encoder_decoder"] = Field(description="encoder_decoder: a decoder attends to an encoder.")
    num_encoder_layers: int = Field(gt=0, description="Layers of the encoder.")
    source_tokens: int = Field(gt=0, description="Tokens of one sample that enter the encoder.")
    target_tokens: int = Field(gt=0, description="Tokens of one sample that the decoder predicts.")

    @property
    def workload(self) -> WorkloadShape:
        """What one sample costs."""
        return encoder_decoder_workload(
            self.shape, self.num_encoder_layers, self.source_tokens, self.target_tokens
        )


class Convolutional(Entry):
    """A residual network of bottlenecks (ResNet-50, 101, 152)."""

    kind: Literal["cnn"] = Field(description="cnn: a residual network of bottlenecks.")
    num_blocks: tuple[int, ...] = Field(min_length=1, description="Blocks of each stage.")
    widths: tuple[int, ...] = Field(min_length=1, description="Width of each stage's bottleneck.")
    image_size: int = Field(ge=32, description="Rows, and columns, of an image.")
    num_classes: int = Field(gt=0, description="Classes.")
    native_datatype: Datatype = Field(default=Datatype.FP16, description="Datatype of the published weights.")

    @model_validator(mode="after")
    def _one_width_per_stage(self) -> Self:
        if len(self.num_blocks) != len(self.widths):
            raise ValueError("num_blocks and widths must list the same number of stages")
        return self

    @property
    def workload(self) -> WorkloadShape:
        """What one image costs."""
        layers = bottleneck_layers(self.num_blocks, self.widths, self.image_size, self.num_classes)
        return convolutional_workload(layers)


class Recommender(Entry):
    """Embedding tables and perceptrons (DLRM)."""

    kind: Literal["recommender"] = Field(description="recommender: embedding tables and perceptrons.")
    num_dense_features: int = Field(gt=0, description="Dense features of a sample.")
    embedding_size: int = Field(gt=0, description="Width of an embedding.")
    table_rows: tuple[int, ...] = Field(min_length=1, description="Rows of each table.")
    lookups_per_table: tuple[int, ...] = Field(min_length=1, description="Rows a sample reads of each table.")
    bottom_sizes: tuple[int, ...] = Field(min_length=1, description="Layers of the dense features.")
    top_sizes: tuple[int, ...] = Field(min_length=1, description="Layers after the interaction.")
    num_cross_layers: int = Field(default=0, ge=0, description="Low-rank cross layers; 0: pairs of features.")
    cross_rank: int = Field(default=0, ge=0, description="Rank of the cross layers.")
    native_datatype: Datatype = Field(default=Datatype.FP32, description="Datatype of the published weights.")

    @model_validator(mode="after")
    def _lookups_for_every_table(self) -> Self:
        if len(self.table_rows) != len(self.lookups_per_table):
            raise ValueError("lookups_per_table must have one number for each table")
        if bool(self.num_cross_layers) != bool(self.cross_rank):
            raise ValueError("num_cross_layers and cross_rank go together")
        return self

    @property
    def workload(self) -> WorkloadShape:
        """What one sample costs."""
        fields = RecommenderShape.__dataclass_fields__
        return recommender_workload(RecommenderShape(**{name: getattr(self, name) for name in fields}))


class FixedCost(Entry):
    """Any other network, by what one sample costs."""

    kind: Literal["fixed_cost"] = Field(description="fixed_cost: the cost of a sample is given.")
    num_parameters: float = Field(gt=0, allow_inf_nan=False, description="Weights.")
    forward_flops: float = Field(
        gt=0, allow_inf_nan=False, description="Operations of one forward pass of a sample."
    )
    activation_bytes: Bytes = Field(
        alias="activations", description="Activations of one sample kept for the backward pass."
    )
    num_kernels: int = Field(default=1, gt=0, description="Kernels launched in one forward pass.")
    tokens_per_sample: int = Field(default=1, gt=0, description="Tokens of a sample; 1 if it has none.")
    native_datatype: Datatype = Field(default=Datatype.BF16, description="Datatype of the published weights.")

    @property
    def workload(self) -> WorkloadShape:
        """What one sample costs."""
        return WorkloadShape(
            num_parameters=self.num_parameters,
            forward_flops=self.forward_flops,
            activation_bytes=self.activation_bytes,
            num_kernels=self.num_kernels,
            num_tokens=self.tokens_per_sample,
        )


TrainedModel = Encoder | EncoderDecoder | Convolutional | Recommender | FixedCost
AnyModel = Model | TrainedModel


def counted_in(model: AnyModel) -> str:
    """What is counted of a model's data: ``tokens``, or ``samples`` where a sample has none.

    >>> from dcsim.catalog.loader import load_entry
    >>> counted_in(load_entry("models", "bert-large")), counted_in(load_entry("models", "resnet-50"))
    ('tokens', 'samples')
    """
    has_tokens = isinstance(model, Model) or model.workload.num_tokens > 1
    return "tokens" if has_tokens else "samples"
