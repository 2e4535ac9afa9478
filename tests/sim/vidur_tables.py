"""Vidur's prediction tables as a timer of the engine, and the runs that Vidur made with them."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

FOLDER = Path(__file__).parents[3] / "shared" / "golden" / "vidur"
TABLES = FOLDER / "pred_tables_llama2-70b_tp2_a100dgx_ms.npz"
RUNS = {
    1: FOLDER / "A_70b_tp2_r1_n2000_q2.6_sarathi.csv.gz",
    16: FOLDER / "A_70b_tp2_r16_n16000_q41.6_sarathi_rr.csv.gz",
}
NUM_LAYERS = 80
ALL_REDUCE_LAUNCH_MS = 0.02
PER_TOKEN = (
    "attn_pre_proj", "attn_post_proj", "mlp_up_proj", "mlp_down_proj", "mlp_act",
    "attn_rope", "input_layernorm", "post_attention_layernorm", "add",
)  # fmt: skip


class VidurTables:
    """Step time by Vidur's rules.

    Vidur's context of a decode counts its prompt and all tokens it has generated, hence the token
    that the step reads, too: it is the engine's count of computed tokens plus one.
    """

    def __init__(self, path: Path = TABLES) -> None:
        with np.load(path) as tables:
            base = sum(tables[name] for name in PER_TOKEN)
            base = base + 2 * (tables["all_reduce"] + ALL_REDUCE_LAUNCH_MS)
            self._base_ms: list[float] = base.tolist()
            self._decode_ms: list[list[float]] = tables["attn_decode"].tolist()
            self._prefill_ms: list[list[float]] = tables["attn_prefill"].tolist()

    def mixed_s(
        self, num_decodes: int, decode_context_tokens: int, chunks: Sequence[tuple[int, int]]
    ) -> float:
        num_tokens = num_decodes + sum(size for size, _ in chunks)
        ms = self._base_ms[_rounded_up(num_tokens, 8) - 1]
        if num_decodes:
            ms += self._decode_attention_ms(num_decodes, decode_context_tokens)
        if chunks:
            ms += self._prefill_attention_ms(chunks)
        return ms * NUM_LAYERS * 1e-3

    def decode_piece(self, num_decodes: int, context_tokens: int) -> tuple[float, float, int]:
        """The step time is constant while the rounded mean context is."""
        rounded = _rounded_up(context_tokens // num_decodes, 64)
        return self.mixed_s(num_decodes, context_tokens, ()), 0.0, num_decodes * (rounded + 1)

    def _decode_attention_ms(self, num_decodes: int, context_tokens: int) -> float:
        kv = _rounded_up(context_tokens // num_decodes, 64)
        return self._decode_ms[num_decodes - 1][kv // 64] * (1.1 if num_decodes > 1 else 1.0)

    def _prefill_attention_ms(self, chunks: Sequence[tuple[int, int]]) -> float:
        kv = sum(_rounded_up(cached, 64) for _, cached in chunks)
        chunk = round(sum(size * size for size, _ in chunks) ** 0.5)
        return self._prefill_ms[kv // 64][chunk - 1] * (1.1 if len(chunks) > 1 else 1.0)


def _rounded_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


class VidurRun(NamedTuple):
    """What went into a run of Vidur and what came out, by request."""

    arrived_at_s: npt.NDArray[np.float64]
    num_prompt_tokens: npt.NDArray[np.int64]
    num_output_tokens: npt.NDArray[np.int64]
    ttft_s: npt.NDArray[np.float64]
    e2e_s: npt.NDArray[np.float64]
    num_restarts: npt.NDArray[np.int64]


def read_run(num_replicas: int) -> VidurRun:
    """Vidur's run with so many replicas."""
    with gzip.open(RUNS[num_replicas], "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["Request Id"]) for row in rows] == list(range(len(rows)))

    def column(name: str) -> npt.NDArray[np.float64]:
        return np.array([float(row[name] or 0.0) for row in rows])

    return VidurRun(
        np.cumsum(column("request_inter_arrival_delay")),
        column("request_num_prefill_tokens").astype(np.int64),
        column("request_num_decode_tokens").astype(np.int64),
        column("prefill_e2e_time"),
        column("request_e2e_time"),
        column("request_num_restarts").astype(np.int64),
    )
