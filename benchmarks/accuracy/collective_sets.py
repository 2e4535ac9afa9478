"""Published measurements of collectives, as sets of one collective among the ranks of one system."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dcsim.catalog.loader import build_entry, entry_mapping
from dcsim.catalog.node import Node
from dcsim.formulas.network.group_network import Collective, bus_bytes_frac

MIN_SIZES = 5
PEAK_BYTES = 2.0**34  # of peaks whose source names no size
_SWITCH_MIN_RANKS = 5  # fewer are reduced in rings anyway
_KINDS = {
    "all_reduce": Collective.ALL_REDUCE,
    "all_gather": Collective.ALL_GATHER,
    "reduce_scatter": Collective.REDUCE_SCATTER,
    "alltoall": Collective.ALL_TO_ALL,
}
# accelerator and a part of scale-out -> node, what differs from its entry, ranks per domain
_SYSTEMS: Sequence[tuple[str, str, str, dict[str, object], int | None]] = (
    ("A100", "EFA", "dgx-a100", {"scale_out": "efa-100g-p4d", "num_nics": 4}, None),
    ("A100", "", "dgx-a100", {}, None),
    ("H100", "EFA", "dgx-h100", {"scale_out": "efa-100g", "num_nics": 32}, None),
    ("H100", "SHARP", "dgx-h100", {"scale_out": "infiniband-ndr-sharp"}, None),
    ("H100", "", "dgx-h100", {}, None),
    ("H200", "", "dgx-h200", {}, None),
    ("B200", "EFA", "dgx-b200", {"scale_out": "efa-400g"}, None),
    ("B200", "", "dgx-b200", {}, None),
    ("GB200", "", "gb200-nvl72", {}, 72),
    ("GB300", "", "gb300-compute-tray", {"scale_out": "ethernet-800g"}, None),
    ("MI300X", "", "mi300x-8x", {}, None),
    ("any", "2x200G", "dgx-a100", {"num_nics": 2}, None),
    ("any", "2x400G", "dgx-h100", {"num_nics": 2}, None),
)


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredSet:
    """Measured times by size, of one collective among the ranks of one system."""

    source: str
    kind: Collective
    accelerator: str
    num_ranks: int
    ranks_per_domain: int
    node: Node
    times_s: Mapping[float, float]
    is_ring: bool = False  # although switches could reduce: they were told not to

    @property
    def is_spanning(self) -> bool:
        """Whether the ranks lie in several scale-up domains."""
        return self.num_ranks > self.ranks_per_domain

    @property
    def name(self) -> str:
        """What it is, for a row of the table."""
        where = f", {self.node.scale_out}" if self.is_spanning else ""
        return f"{self.source}: {self.kind} {self.num_ranks} x {self.accelerator}{where}" + (
            ", ring" if self.is_ring else ""
        )


def node_like(name: str, changes: Mapping[str, object]) -> Node:
    """A node of the catalogue with some fields changed."""
    node = build_entry("nodes", {**entry_mapping("nodes", name), **changes, "name": name})
    assert isinstance(node, Node)
    return node


def network_sets(path: Path) -> tuple[list[MeasuredSet], list[MeasuredSet]]:
    """Published nccl-tests on systems of the catalogue: sets of five sizes and more, and sets of fewer."""
    found: defaultdict[tuple[str, ...], dict[float, float]] = defaultdict(dict)
    columns = ("source", "collective", "gpu", "n_gpus", "n_nodes", "scaleout", "algo")
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["collective"] in _KINDS and row["n_gpus"] and (row["time_us"] or row["busbw_GBps"]):
                size = float(row["size_bytes"] or PEAK_BYTES)
                found[tuple(row[name] for name in columns)][size] = _time_s(row, size)
    sets = [one for key, times in found.items() if (one := _network_set(key, times)) is not None]
    large = [one for one in sets if len(one.times_s) >= MIN_SIZES]
    few = {  # the same peak is on slides of two years
        (one.name.split(": ")[1], one.node.num_nics, *one.times_s.values()): one
        for one in reversed(sets)
        if len(one.times_s) < MIN_SIZES
    }
    return large, list(reversed(few.values()))


def _time_s(row: Mapping[str, str], size: float) -> float:
    if row["time_us"]:
        return float(row["time_us"]) * 1e-6
    moved = size * bus_bytes_frac(_KINDS[row["collective"]], int(row["n_gpus"]))
    return moved / float(row["busbw_GBps"]) / 1e9


def _network_set(key: tuple[str, ...], times_s: dict[float, float]) -> MeasuredSet | None:
    source, kind, gpu, ranks, nodes, scale_out, algorithm = key
    num_ranks = int(ranks)
    where = scale_out + (" SHARP" if algorithm == "SHARP" else "")
    for accelerator, part, name, changes, domain in _SYSTEMS:
        if gpu.startswith(accelerator) and part in where:
            node = node_like(name, changes)
            num_domains = math.ceil(num_ranks / (domain or node.num_accelerators))
            if nodes and domain is None:
                num_domains = int(nodes)
            is_ring = kind == "all_reduce" and num_ranks >= _SWITCH_MIN_RANKS and _is_ring(algorithm, node)
            per_domain = num_ranks // num_domains
            short = _short(source, scale_out)
            return MeasuredSet(
                short, _KINDS[kind], accelerator, num_ranks, per_domain, node, times_s, is_ring
            )
    return None


def _short(source: str, scale_out: str) -> str:
    if source.startswith("public repo doc"):
        return "documentation of p5 instances"
    short = " ".join(source.split(" ")[: 2 if source.startswith("NVIDIA ") else 1])
    return short.split("/ai-hypercomputer")[0] + (" (older)" if "older" in scale_out else "")


def _is_ring(algorithm: str, node: Node) -> bool:
    """Whether an all-reduce went round a ring although the node's switches reduce."""
    return (
        algorithm in ("Ring", "Ring (NVLS off)", "NVLink4", "NVLink5", "NVLink")
        and node.scale_up != "nvlink3"
    )


def kernel_sets(folder: Path) -> Iterator[MeasuredSet]:
    """NCCL inside a node as NVIDIA AIConfigurator measured it, the median over its newer versions."""
    import pandas

    nodes = {"a100": "dgx-a100", "h100": "dgx-h100", "h200": "dgx-h200", "b200": "dgx-b200"}
    for system, name in nodes.items():
        files = sorted(folder.glob(f"{system}_sxm/comm/nccl/*/nccl_perf.parquet"))
        frame = pandas.concat([pandas.read_parquet(file) for file in files if "2.23" not in str(file)])
        half = frame[(frame.nccl_dtype == "half") & (frame.message_size >= 2048)]  # elements of two bytes
        for (kind, ranks), rows in half.groupby(["op_name", "num_gpus"]):
            medians = rows.groupby("message_size").latency.median()
            times_s = {2.0 * size: ms * 1e-3 for size, ms in medians.items()}
            node = node_like(name, {})
            yield MeasuredSet("NCCL kernels", _KINDS[kind], system.upper(), ranks, ranks, node, times_s)


def vidur_sets(folder: Path) -> Iterator[MeasuredSet]:
    """All-reduces inside a node as microsoft/vidur profiled them, at the sizes nearest to powers of two."""
    import pandas

    for system, name in (("a100", "dgx-a100"), ("h100", "dgx-h100")):
        frame = pandas.read_csv(folder / f"{system}_dgx" / "all_reduce.csv")
        inside = frame[frame.devices_per_node == frame.num_workers]
        for ranks, rows in inside.groupby("num_workers"):
            medians = rows.groupby("size")["time_stats.all_reduce.median"].median()
            nearest = {min(medians.index, key=lambda size: abs(size - 2**octave)) for octave in range(15, 27)}
            times_s = {float(size): medians[size] * 1e-3 for size in sorted(nearest)}
            node = node_like(name, {})
            yield MeasuredSet("vidur", Collective.ALL_REDUCE, system.upper(), ranks, ranks, node, times_s)
