"""Whether curves of one system predict another: why dcsim takes the tuning form there instead.

    python -m benchmarks.accuracy.collectives_borrowed [../shared]

Prints, for each pair of accelerators, mean errors at 1 MiB and more of the form, and of the form times the
ratio by which the other accelerator's measurement differs from the form at the same ranks and size: NCCL
inside a node, as AIConfigurator measured it (all collectives on 2, 4 and 8 ranks).
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.accuracy.collective_sets import MeasuredSet, kernel_sets
from dcsim.catalog.group_network import group_network
from dcsim.formulas.network.group_collectives import collective_time

MEBIBYTE = 2.0**20


def form_times_s(one: MeasuredSet) -> dict[float, float]:
    """Times by the form at the measured sizes of 1 MiB and more."""
    network = replace(group_network(one.node), measured=None)
    return {
        size: float(collective_time(one.kind, network, one.num_ranks, one.ranks_per_domain, size))
        for size in one.times_s
        if size >= MEBIBYTE
    }


def pairs(sets: Sequence[MeasuredSet]) -> Iterator[tuple[str, str, float, float]]:
    """Accelerator, the one that is borrowed from, error of the borrowed and of the form, for each size."""
    forms = {id(one): form_times_s(one) for one in sets}
    for one in sets:
        for other in sets:
            if other is one or (other.kind, other.num_ranks) != (one.kind, one.num_ranks):
                continue
            for size in forms[id(one)].keys() & forms[id(other)].keys():
                form_s, true_s = forms[id(one)][size], one.times_s[size]
                ratio = other.times_s[size] / forms[id(other)][size]
                yield (
                    one.accelerator,
                    other.accelerator,
                    abs(form_s * ratio / true_s - 1.0),
                    abs(form_s / true_s - 1.0),
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared", type=Path, nargs="?", default=Path("../shared"))
    folder = parser.parse_args().shared / "profiles" / "aiconfigurator" / "data"
    found: defaultdict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for accelerator, other, borrowed, form in pairs(list(kernel_sets(folder))):
        found[accelerator, other].append((borrowed, form))
    print("| predicted | borrowed from | n | borrowed, mean % | form, mean % |")
    print("|---|---|---:|---:|---:|")
    for (accelerator, other), errors in found.items():
        borrowed, form = (100 * statistics.fmean(column) for column in zip(*errors, strict=True))
        print(f"| {accelerator} | {other} | {len(errors)} | {borrowed:.1f} | {form:.1f} |")


if __name__ == "__main__":
    main()
