"""Rows of the table of published training steps: what was run, and the step time that its figure means.

A row says its metric in one of several ways; each becomes seconds per optimiser step:

- ``step_time_s`` as it is; ``tokens_per_s_per_gpu`` by the tokens of a step.
- ``tflops_per_gpu`` and ``mfu`` by the operations that the source counts, which :class:`Convention` names.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from dcsim.catalog.loader import load_entry
from dcsim.catalog.model import Model
from dcsim.formulas.transformer import TransformerShape, num_parameters

CATALOGUE_NAMES = {  # of models whose shape is more than the columns of the table
    "llama3-8b": "llama-3.1-8b",
    "llama3-70b": "llama-3.1-70b",
    "llama3.1-405b": "llama-3.1-405b",
    "deepseek-v2": "deepseek-v2",
    "deepseek-v3": "deepseek-v3",
    "gpt-oss-120b": "gpt-oss-120b",
    "qwen3-30b-a3b": "qwen3-30b-a3b",
    "qwen3-235b-a22b": "qwen3-235b-a22b",
    "kimi-k2": "kimi-k2.5",
    "palm-540b": "palm-540b",
}
TERA = 1e12


class Convention(StrEnum):
    """Whose operations a published rate counts."""

    HARDWARE = "hardware"  # Megatron-LM, 2021: the forward pass twice where activations are recomputed
    MODEL = "model"  # three forward passes, the whole square of attention


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """One row of the table, its empty cells as None."""

    source: str
    model: str
    num_layers: int | None
    hidden_size: int | None
    num_heads: int | None
    ffn_size: int | None
    vocab_size: int | None
    num_sequence_tokens: int
    device: str
    num_accelerators: int
    tensor: int
    pipeline: int
    data: int
    expert: int
    context: int
    num_sequences: int
    micro_sequences: int | None
    recompute: str
    precision: str
    metric: str
    value: float
    notes: str

    @property
    def virtual_stages(self) -> int:
        """Chunks of layers per pipeline stage, where the notes say so."""
        found = re.search(r"(?:VP|vpp)=(\d+)", self.notes)
        return int(found.group(1)) if found else 1

    @property
    def shape(self) -> TransformerShape:
        """The catalogue's model, cut to the layers of the row, or a GPT of the row's sizes."""
        name = self.model.split(" ")[0]
        if name not in CATALOGUE_NAMES:
            return self._gpt()
        entry = load_entry("models", CATALOGUE_NAMES[name])
        assert isinstance(entry, Model)
        shape = entry.shape
        if self.num_layers is None or self.num_layers == shape.num_layers:
            return shape
        return truncated(shape, self.num_layers)

    def _gpt(self) -> TransformerShape:
        if not (
            self.num_layers and self.hidden_size and self.num_heads and self.ffn_size and self.vocab_size
        ):
            raise ValueError(f"{self.source}: {self.model} is neither in the catalogue nor spelt out")
        return TransformerShape(
            num_layers=self.num_layers,
            hidden_size=self.hidden_size,
            num_heads=self.num_heads,
            num_kv_heads=self.num_heads,
            head_size=self.hidden_size // self.num_heads,
            ffn_size=self.ffn_size,
            vocab_size=self.vocab_size,
            is_gated=False,
            has_tied_embeddings=True,
        )

    def step_s(self, convention: Convention, peak_flops_per_s: float = 0.0) -> float:
        """Seconds of one optimiser step that the row's figure means."""
        num_tokens = self.num_sequences * self.num_sequence_tokens
        if self.metric == "step_time_s":
            return self.value
        if self.metric == "tokens_per_s_per_gpu":
            return num_tokens / (self.value * self.num_accelerators)
        rate = self.value * (TERA if self.metric == "tflops_per_gpu" else peak_flops_per_s)
        flops = num_tokens * flops_per_token(self.shape, self.num_sequence_tokens)
        if convention is Convention.HARDWARE and self.recompute == "full":
            flops += num_tokens * layer_flops_per_token(self.shape, self.num_sequence_tokens)
        return flops / (rate * self.num_accelerators)


def truncated(shape: TransformerShape, num_layers: int) -> TransformerShape:
    """A model cut to a few layers, of which at most one keeps a dense MLP.

    Of DeepSeek-V3 cut to four (SimuMax) the table does not say how many are dense: three, as in the whole
    model, would leave 61 of the 104 GiB measured, one gives them.
    """
    experts = shape.experts
    if experts is not None:
        experts = replace(experts, num_dense_layers=min(1, experts.num_dense_layers))
    return replace(shape, num_layers=num_layers, experts=experts)


def layer_flops_per_token(shape: TransformerShape, num_sequence_tokens: int) -> float:
    """Forward operations of the layers for one token, the whole square of attention counted.

    2 P + 4 s a d per layer (Narayanan et al., 2021, arXiv:2104.04473, appendix).
    """
    embeddings = (1 if shape.has_tied_embeddings else 2) * shape.vocab_size * shape.hidden_size
    attention = 4.0 * num_sequence_tokens * shape.num_heads * shape.head_size * shape.num_layers
    return 2.0 * (num_parameters(shape) - embeddings) + attention


def flops_per_token(shape: TransformerShape, num_sequence_tokens: int) -> float:
    """Operations of forward and backward for one token of a dense model: three forward passes.

    >>> gpt3 = TransformerShape(96, 12288, 96, 96, 128, 49152, 51200, False, True)
    >>> round(flops_per_token(gpt3, 2048) / 1e12, 3)  # 72 L h^2 (1 + s / 6h + V / 12Lh)
    1.076
    """
    logits = 2.0 * shape.vocab_size * shape.hidden_size
    return 3.0 * (layer_flops_per_token(shape, num_sequence_tokens) + logits)


def read_rows(path: Path) -> Iterator[PublishedRow]:
    """The rows of the table."""
    with path.open(newline="", encoding="utf-8") as file:
        for cells in csv.DictReader(file):
            yield PublishedRow(
                source=cells["source"],
                model=cells["model"],
                num_layers=_count(cells["layers"]),
                hidden_size=_count(cells["hidden"]),
                num_heads=_count(cells["heads"]),
                ffn_size=_count(cells["ffn"]),
                vocab_size=_count(cells["vocab"]),
                num_sequence_tokens=int(cells["seq_len"]),
                device=cells["gpu"],
                num_accelerators=_count(cells["n_gpus"]) or 0,
                tensor=_count(cells["tp"]) or 1,
                pipeline=_count(cells["pp"]) or 1,
                data=_count(cells["dp"]) or 0,
                expert=_count(cells["ep"]) or 1,
                context=_count(cells["cp"]) or 1,
                num_sequences=_count(cells["global_batch"]) or 0,
                micro_sequences=_count(cells["micro_batch"]),
                recompute=cells["recompute"],
                precision=cells["precision"],
                metric=cells["metric"],
                value=float(cells["value"]),
                notes=cells["notes"],
            )


def _count(cell: str) -> int | None:
    return round(float(cell)) if cell.strip() else None
