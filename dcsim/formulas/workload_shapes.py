"""What one training sample costs on models that are no decoder-only transformer: operations, weights, bytes.

A workload shape says all that the closed form of a step needs of such a model: forward operations and kept
activations of one sample, and the weights. Backward takes twice the forward operations.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from dcsim.formulas.transformer import (
    TransformerShape,
    flops_per_pair,
    num_attention_parameters,
    num_dense_mlp_parameters,
    num_embedding_parameters,
)

_FLOPS_PER_MAC = 2
_FLASH_KEPT_PER_WIDTH = 34  # bytes of one token and unit of width: Korthikanti et al., 2022, table 2
_BYTES_PER_ELEMENT = 2  # activations are kept in 16 bits
_CONVOLUTION_PASSES = 3  # a map is kept by the convolution, its normalisation and its activation


@dataclass(frozen=True, slots=True)
class WorkloadShape:
    """One sample's cost: forward operations, activations kept for backward, and the weights they meet.

    ``num_table_parameters`` are rows of embedding tables, of which a sample touches a few; ``exchange_bytes``
    is what a sample moves between accelerators that share tables, forward. ``num_tokens`` is 1 where a sample
    has no tokens.
    """

    num_parameters: float
    forward_flops: float
    activation_bytes: float
    num_kernels: int
    num_tokens: int = 1
    num_table_parameters: float = 0.0
    exchange_bytes: float = 0.0

    @property
    def training_flops(self) -> float:
        """Operations of forward and backward: gradients by inputs and by weights cost one forward each."""
        return 3.0 * self.forward_flops


@dataclass(frozen=True, slots=True)
class Convolution:
    """One layer of a convolutional network: square kernels over a square map of outputs."""

    kernel_size: int
    num_inputs: int
    num_outputs: int
    output_size: int

    @property
    def num_parameters(self) -> int:
        """Weights, and the scale and shift of the batch normalisation that follows."""
        return self.kernel_size**2 * self.num_inputs * self.num_outputs + 2 * self.num_outputs

    @property
    def flops(self) -> float:
        """Operations of one image: 2 k^2 C_in C_out H^2."""
        macs = self.kernel_size**2 * self.num_inputs * self.num_outputs * self.output_size**2
        return float(_FLOPS_PER_MAC * macs)


def encoder_workload(shape: TransformerShape, num_tokens: int, num_predicted: int) -> WorkloadShape:
    """An encoder (BERT): every token attends to all; the head sees only the predicted tokens.

    Forward operations per sample: 2 s (weights of the layers) + L s^2 (operations of a pair) + 2 h V p
    (Narayanan et al., 2021, arXiv:2104.04473, appendix, without the causal half). Kept activations: 34 s h
    bytes per layer with fused attention (Korthikanti et al., 2022, arXiv:2205.05198, table 2).

    >>> bert_large = TransformerShape(24, 1024, 16, 16, 64, 4096, 30522, False, True)
    >>> round(encoder_workload(bert_large, 512, 76).forward_flops / 1e9)
    340
    """
    layer = num_attention_parameters(shape) + num_dense_mlp_parameters(shape)
    dense = 2.0 * num_tokens * layer * shape.num_layers
    pairs = shape.num_layers * float(flops_per_pair(shape)) * num_tokens**2
    head = 2.0 * num_predicted * shape.hidden_size * shape.vocab_size
    return WorkloadShape(
        num_parameters=layer * shape.num_layers + num_embedding_parameters(shape),
        forward_flops=dense + pairs + head,
        activation_bytes=float(_FLASH_KEPT_PER_WIDTH * num_tokens * shape.hidden_size * shape.num_layers),
        num_kernels=_KERNELS_PER_LAYER * shape.num_layers,
        num_tokens=num_tokens,
    )


_KERNELS_PER_LAYER = 12  # four products, fused attention, two norms, activation, dropout and residual adds


def encoder_decoder_workload(
    shape: TransformerShape, num_encoder_layers: int, num_source_tokens: int, num_target_tokens: int
) -> WorkloadShape:
    """An encoder and a decoder (T5) whose layers have the same sizes; ``shape`` is the decoder.

    A decoder layer has self-attention over t targets (the causal half), cross-attention from t targets to s
    sources, whose keys and values are projected from the sources, and an MLP (Raffel et al., 2020,
    arXiv:1910.10683, section 2.1).
    """
    attention, mlp = num_attention_parameters(shape), num_dense_mlp_parameters(shape)
    pair = float(flops_per_pair(shape))
    source, target = num_source_tokens, num_target_tokens
    encoder = 2.0 * source * (attention + mlp) + pair * source**2
    memory_weights = 2 * shape.hidden_size * shape.num_kv_heads * shape.head_size  # keys, values of sources
    decoder = 2.0 * target * (2 * attention - memory_weights + mlp) + 2.0 * source * memory_weights
    decoder += pair * (target**2 / 2 + target * source)
    head = 2.0 * target * shape.hidden_size * shape.vocab_size
    layers = num_encoder_layers + shape.num_layers
    kept = num_encoder_layers * source + shape.num_layers * target * 1.5  # a third block in the decoder
    return WorkloadShape(
        num_parameters=num_encoder_layers * (attention + mlp)
        + shape.num_layers * (2 * attention + mlp)
        + num_embedding_parameters(shape),
        forward_flops=num_encoder_layers * encoder + shape.num_layers * decoder + head,
        activation_bytes=_FLASH_KEPT_PER_WIDTH * kept * shape.hidden_size,
        num_kernels=_KERNELS_PER_LAYER * layers + _KERNELS_PER_LAYER // 2 * shape.num_layers,
        num_tokens=source + target,
    )


def bottleneck_layers(
    num_blocks: Sequence[int], widths: Sequence[int], image_size: int, num_classes: int
) -> list[Convolution]:
    """The layers of a residual network of bottlenecks, the classifier as the last.

    A block is 1x1, 3x3 and 1x1 convolutions whose last has four times the width; the first block of a stage
    halves the map (in its 3x3, "v1.5") and projects its input (He et al., 2016, arXiv:1512.03385, table 1).
    """
    size = image_size // 2
    layers, inputs = [Convolution(7, 3, widths[0], size)], widths[0]
    size //= 2
    for stage, (blocks, width) in enumerate(zip(num_blocks, widths, strict=True)):
        for block in range(blocks):
            halves = block == 0 and stage > 0
            layers.append(Convolution(1, inputs, width, size))
            size = size // 2 if halves else size
            layers += [Convolution(3, width, width, size), Convolution(1, width, 4 * width, size)]
            if block == 0:
                layers.append(Convolution(1, inputs, 4 * width, size))
            inputs = 4 * width
    return [*layers, Convolution(1, inputs, num_classes, 1)]


def convolutional_workload(layers: Sequence[Convolution]) -> WorkloadShape:
    """A convolutional network, one image per sample.

    >>> resnet_50 = bottleneck_layers((3, 4, 6, 3), (64, 128, 256, 512), 224, 1000)
    >>> round(convolutional_workload(resnet_50).forward_flops / 2e9, 1)  # multiply-adds in 10^9
    4.1
    """
    maps = sum(layer.num_outputs * layer.output_size**2 for layer in layers)
    return WorkloadShape(
        num_parameters=sum(layer.num_parameters for layer in layers),
        forward_flops=sum(layer.flops for layer in layers),
        activation_bytes=float(_CONVOLUTION_PASSES * _BYTES_PER_ELEMENT * maps),
        num_kernels=_CONVOLUTION_PASSES * len(layers),
    )


@dataclass(frozen=True, slots=True)
class RecommenderShape:
    """Embedding tables, a perceptron of dense features, an interaction and a perceptron on top (DLRM)."""

    num_dense_features: int
    embedding_size: int
    table_rows: tuple[int, ...]
    lookups_per_table: tuple[int, ...]
    bottom_sizes: tuple[int, ...]
    top_sizes: tuple[int, ...]
    num_cross_layers: int = 0  # DCNv2; 0: products of pairs of features
    cross_rank: int = 0


def recommender_workload(shape: RecommenderShape) -> WorkloadShape:
    """DLRM (Naumov et al., 2019, arXiv:1906.00091), with pairs or low-rank crosses (DCNv2, arXiv:2008.13535).

    A sample sends one pooled vector per table to the accelerator that trains it and its gradient back.
    """
    features = len(shape.table_rows) + 1
    width = features * shape.embedding_size
    bottom = _perceptron((shape.num_dense_features, *shape.bottom_sizes))
    if shape.num_cross_layers:
        cross, pairs = 2 * shape.num_cross_layers * width * shape.cross_rank, 0.0
        joined = width
    else:
        cross, pairs = 0, 2.0 * features**2 * shape.embedding_size
        joined = shape.embedding_size + features * (features - 1) // 2
    top = _perceptron((joined, *shape.top_sizes))
    lookups = sum(shape.lookups_per_table)
    weights = bottom + cross + top
    widths = (width, *shape.bottom_sizes, *shape.top_sizes, width * shape.num_cross_layers)
    return WorkloadShape(
        num_parameters=weights,
        forward_flops=2.0 * weights + pairs + lookups * shape.embedding_size,
        activation_bytes=float(_BYTES_PER_ELEMENT * sum(widths)),
        num_kernels=3 * (len(shape.bottom_sizes) + len(shape.top_sizes) + shape.num_cross_layers) + 2,
        num_table_parameters=float(sum(shape.table_rows) * shape.embedding_size),
        exchange_bytes=float(len(shape.table_rows) * shape.embedding_size * _BYTES_PER_ELEMENT),
    )


def _perceptron(sizes: Sequence[int]) -> int:
    """Weights and biases of fully connected layers of these sizes."""
    return sum((inputs + 1) * outputs for inputs, outputs in itertools.pairwise(sizes))
