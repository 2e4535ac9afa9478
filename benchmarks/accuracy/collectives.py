"""Collectives against published measurements: errors of measured tables, held out, and of the tuning form.

    python -m benchmarks.accuracy.collectives [../shared]

For each set of measured sizes, prints a row per predictor as a Markdown table: ``size left out``, the
catalogue's curves without the size that is predicted; ``ranks left out``, without the whole curve, so
that other numbers of ranks speak for it; ``others``, as they are, where the set is not among them;
``form``, NCCL's tuning form without any curve.
"""

from __future__ import annotations

import argparse
import csv
import math
import statistics
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dcsim.catalog.collective import MeasuredCurve, curves_of
from dcsim.catalog.group_network import group_network, measured_on
from dcsim.catalog.loader import build_entry, entry_mapping
from dcsim.catalog.node import Node
from dcsim.formulas.group_collectives import collective_time
from dcsim.formulas.group_network import Collective, GroupNetwork, bus_bytes_frac

MEBIBYTE = 2.0**20
MIN_SIZES = 5
_KINDS = {
    "all_reduce": Collective.ALL_REDUCE,
    "all_gather": Collective.ALL_GATHER,
    "reduce_scatter": Collective.REDUCE_SCATTER,
    "alltoall": Collective.ALL_TO_ALL,
}
# accelerator and a part of scale-out -> node, what differs from its entry, ranks per domain
_SYSTEMS: Sequence[tuple[str, str, str, dict[str, object], int | None]] = (
    ("A100", "EFA", "dgx-a100", {"scale_out": "efa-100g", "num_nics": 4}, None),
    ("A100", "", "dgx-a100", {}, None),
    ("H100", "EFA", "dgx-h100", {"scale_out": "efa-100g", "num_nics": 32}, None),
    ("H100", "SHARP", "dgx-h100", {"scale_out": "infiniband-ndr-sharp"}, None),
    ("H100", "", "dgx-h100", {}, None),
    ("H200", "", "dgx-h200", {}, None),
    ("B200", "EFA", "dgx-b200", {"scale_out": "efa-400g"}, None),
    ("B200", "", "dgx-b200", {}, None),
    ("GB200", "", "gb200-nvl72", {}, 72),
    ("GB300", "", "gb300-compute-tray", {"scale_out": "ethernet-800g"}, None),
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

    @property
    def name(self) -> str:
        """What it is, for a row of the table."""
        where = "" if self.num_ranks <= self.ranks_per_domain else f", {self.node.scale_out}"
        return f"{self.source}: {self.kind} {self.num_ranks} x {self.accelerator}{where}"


def node_like(name: str, changes: Mapping[str, object]) -> Node:
    """A node of the catalogue with some fields changed."""
    node = build_entry("nodes", {**entry_mapping("nodes", name), **changes, "name": name})
    assert isinstance(node, Node)
    return node


def network_sets(path: Path) -> list[MeasuredSet]:
    """The sets of five sizes and more in a table of published nccl-tests, of systems in the catalogue."""
    found: defaultdict[tuple[str, ...], dict[float, float]] = defaultdict(dict)
    columns = ("source", "collective", "gpu", "n_gpus", "n_nodes", "scaleout")
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["collective"] in _KINDS and row["size_bytes"] and row["n_gpus"] and row["n_nodes"]:
                found[tuple(row[name] for name in columns)][float(row["size_bytes"])] = _time_s(row)
    sets = (_network_set(key, times) for key, times in found.items() if len(times) >= MIN_SIZES)
    return [one for one in sets if one is not None]


def _time_s(row: Mapping[str, str]) -> float:
    if row["time_us"]:
        return float(row["time_us"]) * 1e-6
    moved = float(row["size_bytes"]) * bus_bytes_frac(_KINDS[row["collective"]], int(row["n_gpus"]))
    return moved / float(row["busbw_GBps"]) / 1e9


def _network_set(key: tuple[str, ...], times_s: dict[float, float]) -> MeasuredSet | None:
    source, kind, gpu, ranks, nodes, scale_out = key
    for accelerator, part, name, changes, domain in _SYSTEMS:
        if gpu.startswith(accelerator) and part in scale_out:
            per_domain = int(ranks) // int(nodes)
            if domain is not None:
                per_domain = int(ranks) // math.ceil(int(ranks) / domain)
            short = source.split(" ")[0].split("/ai-hypercomputer")[0] + (
                " (older)" if "older" in scale_out else ""
            )
            node = node_like(name, changes)
            return MeasuredSet(short, _KINDS[kind], accelerator, int(ranks), per_domain, node, times_s)
    return None


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


def errors(one: MeasuredSet) -> dict[str, dict[float, float]]:
    """Absolute relative errors by predictor and size."""
    network = group_network(one.node)
    networks = {"form": replace(network, measured=None)}
    if any(_is_of(curve, one) for entry in measured_on(one.node) for curve in entry.curves):
        networks["ranks left out"] = _left_out(one, network, one.times_s)
    else:
        networks["others"] = network
    found = {
        predictor: {size: _error(one, without, size) for size in one.times_s}
        for predictor, without in networks.items()
        if predictor == "form" or _has_curves(one, without)
    }
    if "ranks left out" in networks:
        found["size left out"] = {
            size: _error(one, _left_out(one, network, [size]), size) for size in one.times_s
        }
    return found


def _is_of(curve: MeasuredCurve, one: MeasuredSet) -> bool:
    """Whether a curve of the catalogue holds these very measurements."""
    is_alike = (curve.collective, curve.num_ranks) == (one.kind, one.num_ranks)
    if not is_alike or (curve.num_ranks > curve.ranks_per_domain) != (one.num_ranks > one.ranks_per_domain):
        return False
    shared = [size for size in one.times_s if size in curve.times_s]
    close = [abs(curve.times_s[size] / one.times_s[size] - 1.0) < 0.003 for size in shared]
    return len(close) > 1 and sum(close) > len(close) / 2


def _left_out(one: MeasuredSet, network: GroupNetwork, sizes: Collection[float]) -> GroupNetwork:
    """The network with some sizes taken out of the curve that holds them, or the whole curve."""
    entries = [
        entry.model_copy(update={"curves": tuple(_without(entry.curves, one, sizes))})
        for entry in measured_on(one.node)
    ]
    return replace(network, measured=curves_of(entries))


def _without(
    curves: Sequence[MeasuredCurve], one: MeasuredSet, sizes: Collection[float]
) -> Iterator[MeasuredCurve]:
    for curve in curves:
        left = {size: value for size, value in curve.bus_bandwidth.items() if size not in sizes}
        if not _is_of(curve, one):
            yield curve
        elif len(sizes) < len(one.times_s):
            yield curve.model_copy(update={"bus_bandwidth": left})


def _has_curves(one: MeasuredSet, network: GroupNetwork) -> bool:
    if network.measured is None:
        return False
    is_inside = one.num_ranks <= one.ranks_per_domain
    return one.kind in (network.measured.inside if is_inside else network.measured.spanning)


def _error(one: MeasuredSet, network: GroupNetwork, size: float) -> float:
    predicted = collective_time(one.kind, network, one.num_ranks, one.ranks_per_domain, size)
    return abs(float(predicted) / one.times_s[size] - 1.0)


def row(name: str, predictor: str, found: Mapping[float, float]) -> str:
    """A line of the table: number, mean, 90th percentile and maximum, large messages and all."""
    large = [error for size, error in found.items() if size >= MEBIBYTE]
    return f"| {name} | {predictor} | {_figures(large)} | {_figures(list(found.values()))} |"


def _figures(values: Sequence[float]) -> str:
    if not values:
        return "0 | – | – | –"
    p90 = statistics.quantiles(values, n=10, method="inclusive")[-1] if len(values) > 1 else values[0]
    figures = (statistics.fmean(values), p90, max(values))
    return f"{len(values)} | " + " | ".join(f"{100 * value:.1f}" for value in figures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared", type=Path, nargs="?", default=Path("../shared"))
    shared = parser.parse_args().shared
    published = network_sets(shared / "truth" / "network.csv")
    profiled = list(vidur_sets(shared / "profiles" / "vidur" / "network"))
    kernels = list(kernel_sets(shared / "profiles" / "aiconfigurator" / "data"))
    print(
        "| set | predictor | n, 1 MiB and more | mean % | p90 % | max % | n, all | mean % | p90 % | max % |"
    )
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    parts = {"published": published, "vidur": profiled, "NCCL kernels": kernels}
    for title, sets in parts.items():
        pooled: defaultdict[str, dict[float, float]] = defaultdict(dict)
        for number, one in enumerate(sets):
            for predictor, found in errors(one).items():
                print(row(one.name, predictor, found))
                # sizes made distinct, not changed in what they count as
                pooled[predictor] |= {size * (1.0 + number * 1e-9): error for size, error in found.items()}
        for predictor, found in pooled.items():
            print(row(f"**{title}, together**", predictor, found))


if __name__ == "__main__":
    main()
