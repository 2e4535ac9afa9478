"""How far laboratories are from each other on one system: what no predictor of that system can beat.

    python -m benchmarks.accuracy.collectives_laboratories [../shared]

For each collective and number of ranks that several laboratories measured inside a node, from 1 MiB and from
16 MiB on: the error of one laboratory as the prediction of another; the least mean error that a single
prediction can have against all of them; and the error of NCCL's tuning form, which knows none of them.
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import Path

from benchmarks.accuracy.collective_sets import MeasuredSet, kernel_sets, network_sets, vidur_sets
from dcsim.catalog.group_network import group_network
from dcsim.formulas.network.collective_curve import CollectiveCurve, collective_curve
from dcsim.formulas.network.group_collectives import collective_time

LEAST = (2.0**20, 2.0**24)  # from which sizes on
MIN_SIZES = 5


def least_mean_error(times_s: Sequence[float]) -> float:
    """Mean relative error of the best single prediction of some times, which is one of them.

    >>> least_mean_error([1.0, 2.0])
    0.25
    """
    return min(statistics.fmean(abs(guess / one - 1.0) for one in times_s) for guess in times_s)


def by_system(sets: Sequence[MeasuredSet]) -> dict[str, list[MeasuredSet]]:
    """Sets inside a node that several laboratories measured, by what was measured."""
    found: defaultdict[str, list[MeasuredSet]] = defaultdict(list)
    for one in sets:
        if not one.is_spanning and not one.is_ring and len(one.times_s) >= MIN_SIZES:
            found[f"{one.kind}, {one.num_ranks} x {one.accelerator}"].append(one)
    return {name: together for name, together in sorted(found.items()) if len(together) > 1}


def curve_of(one: MeasuredSet) -> CollectiveCurve:
    """The curve through a set."""
    return collective_curve(one.num_ranks, one.ranks_per_domain, one.times_s)


def sizes_of(together: Sequence[MeasuredSet], least: float) -> Iterator[float]:
    """Sizes from the least on that lie within all sets, of the one that has most."""
    first = max(min(one.times_s) for one in together)
    last = min(max(one.times_s) for one in together)
    most = max(together, key=lambda one: len(one.times_s))
    return (size for size in most.times_s if max(first, least) <= size <= last)


def pair_errors(together: Sequence[MeasuredSet], least: float) -> Iterator[float]:
    """Errors of each laboratory as the prediction of each other."""
    for one, other in permutations(together, 2):
        true, guess = curve_of(one), curve_of(other)
        for size in sizes_of((one, other), least):
            yield abs(guess.time_s(size) / true.time_s(size) - 1.0)


def least_errors(together: Sequence[MeasuredSet], least: float) -> Iterator[float]:
    """Mean errors of the best single prediction for each size."""
    curves = [curve_of(one) for one in together]
    for size in sizes_of(together, least):
        yield least_mean_error([one.time_s(size) for one in curves])


def form_errors(together: Sequence[MeasuredSet], least: float) -> Iterator[float]:
    """Errors of the form against all of them."""
    for one in together:
        network, true = replace(group_network(one.node), measured=None), curve_of(one)
        for size in sizes_of(together, least):
            form_s = collective_time(one.kind, network, one.num_ranks, one.ranks_per_domain, size)
            yield abs(float(form_s) / true.time_s(size) - 1.0)


def row(name: str, errors: Sequence[Sequence[float]]) -> str:
    """A line of the table."""
    return f"| {name} | " + " | ".join(f"{100 * statistics.fmean(column):.1f}" for column in errors) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared", type=Path, nargs="?", default=Path("../shared"))
    shared = parser.parse_args().shared
    published, _ = network_sets(shared / "truth" / "network.csv")
    profiles = shared / "profiles"
    sets = [
        *published,
        *vidur_sets(profiles / "vidur" / "network"),
        *kernel_sets(profiles / "aiconfigurator" / "data"),
    ]
    columns = [(part, least) for least in LEAST for part in (pair_errors, least_errors, form_errors)]
    print("| measured | laboratories |" + " one for another, % | best single, % | form, % |" * len(LEAST))
    print("|---|---|" + "---:|" * len(columns))
    pooled: list[list[float]] = [[] for _ in columns]
    for name, together in by_system(sets).items():
        errors = [list(part(together, least)) for part, least in columns]
        for all_of, some in zip(pooled, errors, strict=True):
            all_of += some
        sources = ", ".join(one.source.split("/")[0] for one in together)
        print(row(f"{name} | {sources}", errors))
    print(row("**together** | ", pooled))


if __name__ == "__main__":
    main()
