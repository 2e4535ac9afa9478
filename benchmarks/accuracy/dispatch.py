"""Dispatch and combination of tokens to experts against DeepEP's published bandwidths.

    python -m benchmarks.accuracy.dispatch [../shared]

DeepEP counts bytes per rank: between nodes each token once for each node that it visits, its own included,
inside a node once for each rank. Predicted by ``Relay``, which training uses for such kernels, and by the
all-to-all of NCCL's form, which sends each token once for each expert, in the same bytes.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dcsim.catalog.group_network import group_network
from dcsim.catalog.loader import load_entry
from dcsim.catalog.node import Node
from dcsim.formulas.network.group_network import Collective, GroupNetwork
from dcsim.formulas.training.communication import Message, Relay
from dcsim.formulas.training.groups import RankGroup
from dcsim.formulas.training.routing import num_visited_domains
from dcsim.formulas.transformer import MixtureOfExperts

NUM_TOKENS = 4096  # per rank, of 7168 numbers, to 8 of 256 experts on 4 nodes at most (README of DeepEP)
EXPERTS = MixtureOfExperts(256, 8, 2048)
MAX_NODES = 4
BYTES = {"moe_dispatch": 7168 * (1.0 + 4.0 / 128.0), "moe_combine": 7168 * 2.0}  # fp8 and its scales, bf16
NODES = {"H800": "hgx-h800", "H100/H800 (SM90)": "hgx-h800", "B200 (SM100)": "dgx-b200"}
RANKS_PER_NODE = 8


@dataclass(frozen=True, slots=True)
class Exchange:
    """A published bandwidth of one kernel, in bytes per second and rank."""

    kind: str
    accelerator: str
    num_ranks: int
    bytes_per_s: float
    notes: str


def exchanges(path: Path) -> Iterator[Exchange]:
    """The normal kernels among the published rows."""
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["collective"] in BYTES and row["gpu"] in NODES:
                bandwidth = float(row["busbw_GBps"]) * 1e9
                yield Exchange(row["collective"], row["gpu"], int(row["n_gpus"]), bandwidth, row["notes"])


def predicted(one: Exchange) -> tuple[float, float]:
    """Bandwidths by the relay and by an all-to-all, counted as DeepEP counts."""
    node = load_entry("nodes", NODES[one.accelerator])
    assert isinstance(node, Node)
    network: GroupNetwork = group_network(node)
    group = RankGroup(one.num_ranks, 1)
    num_nodes = one.num_ranks // RANKS_PER_NODE
    bytes_per_visit = NUM_TOKENS * BYTES[one.kind]
    to_ranks = bytes_per_visit * num_visited_domains(EXPERTS, one.num_ranks, None)
    to_nodes = bytes_per_visit * num_visited_domains(EXPERTS, num_nodes, MAX_NODES)
    counted = to_ranks if num_nodes == 1 else to_nodes
    relay = Relay(group, to_ranks, to_nodes)
    to_experts = bytes_per_visit * EXPERTS.num_experts_per_token
    exchange = Message(Collective.ALL_TO_ALL, group, to_experts)
    return counted / relay.time_s(network), counted / exchange.time_s(network)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared", type=Path, nargs="?", default=Path("../shared"))
    path = parser.parse_args().shared / "truth" / "network.csv"
    print("| kernel | ranks | published GB/s | relay GB/s | error % | all-to-all GB/s |")
    print("|---|---|---:|---:|---:|---:|")
    errors = []
    for one in exchanges(path):
        relay, exchange = predicted(one)
        error = relay / one.bytes_per_s - 1.0
        errors.append(abs(error))
        name = f"{one.kind.removeprefix('moe_')}, {one.notes.split(';')[0]}"
        print(
            f"| {name} | {one.num_ranks} x {one.accelerator} | {one.bytes_per_s / 1e9:.0f} "
            f"| {relay / 1e9:.1f} | {100 * error:+.1f} | {exchange / 1e9:.1f} |"
        )
    print(
        f"\n{len(errors)} rows, mean {100 * sum(errors) / len(errors):.1f} %, max {100 * max(errors):.1f} %"
    )


if __name__ == "__main__":
    main()
