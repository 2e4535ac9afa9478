"""The pools of a workload with prefill replicas, and the KV caches between them, as grids of the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dcsim.report.grids import figure_grid
from dcsim.result import SummaryView
from dcsim.spec.serving import Parallelism, Serving

if TYPE_CHECKING:
    from rich.table import Table

_POOL = {
    "num_replicas": "replicas",
    "utilization_frac": "busy time",
    "mfu_frac": "MFU",
    "memory_bandwidth_frac": "memory bandwidth",
    "kv_occupancy_frac": "KV cache",
    "batch_size.mean": "mean batch",
    "accelerator_power_w": "power per accelerator",
}
_TRANSFERS = {
    "num_transfers": "caches sent",
    "transfer_bytes.mean": "mean size",
    "bytes_per_s": "mean rate",
    "time_s.mean": "time, mean",
    "time_s.p99": "time, p99",
    "wait_s.mean": "wait for room, mean",
    "wait_s.p99": "wait for room, p99",
    "num_waiting.mean": "mean queue for room",
}


def pool_grids(summary: SummaryView) -> Mapping[str, Table]:
    """Grids by title; none where every replica computes prompts and decodes."""
    if summary.get("pools") is None:
        return {}
    return {
        "prefill replicas": figure_grid(summary, _below("pools.prefill", _POOL)),
        "decode replicas": figure_grid(summary, _below("pools.decode", _POOL)),
        "KV transfers": figure_grid(summary, _below("kv_transfer", _TRANSFERS)),
    }


def replicas_text(serving: Serving) -> str:
    """How many replicas there are and how each is spread, those for prefill first.

    As in ``2 prefill replicas (tensor 4) and 1 decode replica (tensor 8)``.
    """
    if serving.prefill is None:
        return _pool_text("", serving.num_replicas, serving.parallelism)
    prefill = serving.prefill
    first = _pool_text("prefill ", prefill.num_replicas, prefill.parallelism or serving.parallelism)
    return f"{first} and {_pool_text('decode ', serving.num_replicas, serving.parallelism)}"


def _pool_text(role: str, num_replicas: int, parallelism: Parallelism) -> str:
    spread = [f"{word} {size}" for word, size in parallelism.model_dump().items() if size > 1]
    size = f" ({', '.join(spread)})" if spread else ""
    return f"{num_replicas:,} {role}replica{'' if num_replicas == 1 else 's'}{size}"


def _below(path: str, labels: Mapping[str, str]) -> dict[str, str]:
    return {f"{path}.{key}": label for key, label in labels.items()}
