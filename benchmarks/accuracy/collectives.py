"""Collectives against published measurements: errors of measured tables, held out, and of the tuning form.

    python -m benchmarks.accuracy.collectives [../shared]

For each set of measured sizes, prints a row per predictor as a Markdown table: ``size left out``, the
catalogue's curves without the size that is predicted; ``ranks left out``, without the whole curve, so
that other numbers of ranks speak for it; ``source left out``, without all curves of the same publication;
``others``, as they are, where the set is not among them; ``form``, NCCL's tuning form without any curve,
which is what a system gets that was not measured.
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.accuracy.collective_sets import MeasuredSet, kernel_sets, network_sets, vidur_sets
from dcsim.catalog.collective import MeasuredCurve, curves_of
from dcsim.catalog.group_network import group_network, measured_on
from dcsim.formulas.network.group_collectives import collective_time
from dcsim.formulas.network.group_network import GroupNetwork

MEBIBYTE = 2.0**20
Errors = dict[float, float]


def errors(one: MeasuredSet, published: Sequence[MeasuredSet]) -> dict[str, Errors]:
    """Absolute relative errors by predictor and size."""
    network = group_network(one.node)
    if one.is_ring:
        up = replace(network.scale_up, has_in_network_reduction=False)
        return {"form": _errors(one, replace(network, scale_up=up, measured=None))}
    networks = {"form": replace(network, measured=None)}
    siblings = [other for other in published if other.source == one.source] or [one]
    if any(_is_of(curve, one) for entry in measured_on(one.node) for curve in entry.curves):
        networks["ranks left out"] = _reduced(one, network, lambda curve: _is_of(curve, one))
        networks["source left out"] = _reduced(
            one, network, lambda curve: any(_is_of(curve, other) for other in siblings)
        )
    else:
        networks["others"] = network
    found = {
        predictor: _errors(one, without)
        for predictor, without in networks.items()
        if predictor == "form" or _has_curves(one, without)
    }
    if "ranks left out" in networks:
        found["size left out"] = {
            size: _error(one, _reduced(one, network, lambda curve: _is_of(curve, one), [size]), size)
            for size in one.times_s
        }
    return found


def _is_of(curve: MeasuredCurve, one: MeasuredSet) -> bool:
    """Whether a curve of the catalogue holds these very measurements."""
    is_alike = (curve.collective, curve.num_ranks) == (one.kind, one.num_ranks)
    if not is_alike or curve.is_spanning != one.is_spanning:
        return False
    shared = [size for size in one.times_s if size in curve.times_s]
    close = [abs(curve.times_s[size] / one.times_s[size] - 1.0) < 0.003 for size in shared]
    return len(close) > 1 and sum(close) > len(close) / 2


def _reduced(
    one: MeasuredSet,
    network: GroupNetwork,
    is_left_out: Callable[[MeasuredCurve], bool],
    sizes: Collection[float] | None = None,
) -> GroupNetwork:
    """The network without some curves, or without some sizes of them."""
    entries = [
        entry.model_copy(update={"curves": tuple(_without(entry.curves, is_left_out, sizes))})
        for entry in measured_on(one.node)
    ]
    return replace(network, measured=curves_of(entries))


def _without(
    curves: Sequence[MeasuredCurve],
    is_left_out: Callable[[MeasuredCurve], bool],
    sizes: Collection[float] | None,
) -> Iterator[MeasuredCurve]:
    for curve in curves:
        if not is_left_out(curve):
            yield curve
        elif sizes is not None:
            left = {size: value for size, value in curve.bus_bandwidth.items() if size not in sizes}
            yield curve.model_copy(update={"bus_bandwidth": left})


def _has_curves(one: MeasuredSet, network: GroupNetwork) -> bool:
    if network.measured is None:
        return False
    return one.kind in (network.measured.spanning if one.is_spanning else network.measured.inside)


def _errors(one: MeasuredSet, network: GroupNetwork) -> Errors:
    return {size: _error(one, network, size) for size in one.times_s}


def _error(one: MeasuredSet, network: GroupNetwork, size: float) -> float:
    predicted = collective_time(one.kind, network, one.num_ranks, one.ranks_per_domain, size)
    return abs(float(predicted) / one.times_s[size] - 1.0)


def row(name: str, predictor: str, found: Sequence[tuple[float, float]]) -> str:
    """A line of the table: sizes of 1 MiB and more, of 16 MiB and more, and all."""
    errors = [error for size, error in found if size >= MEBIBYTE]
    cells = [len(errors), *(f"{100 * value:.1f}" for value in _figures(errors))]
    for least in (16 * MEBIBYTE, 0.0):
        errors = [error for size, error in found if size >= least]
        cells += [len(errors), f"{100 * statistics.fmean(errors):.1f}" if errors else "–"]
    return f"| {name} | {predictor} | " + " | ".join(map(str, cells)) + " |"


def _figures(errors: Sequence[float]) -> tuple[float, float, float]:
    """Mean, 90th percentile and maximum."""
    if len(errors) < 2:
        return (errors[0],) * 3
    p90 = statistics.quantiles(errors, n=10, method="inclusive")[-1]
    return statistics.fmean(errors), p90, max(errors)


def print_part(title: str, sets: Sequence[MeasuredSet]) -> None:
    """Rows of each set, of those inside a node and over each network, and of all of them together."""
    pooled: defaultdict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for one in sets:
        where = f"over {one.node.scale_out}, {one.node.name}" if one.is_spanning else "inside a domain"
        for predictor, found in errors(one, sets).items():
            print(row(one.name, predictor, list(found.items())))
            for part in (where, "together"):
                pooled[part, predictor] += found.items()
    for (part, predictor), together in sorted(pooled.items(), key=lambda item: item[0][0]):
        print(row(f"**{title}, {part}**", predictor, together))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared", type=Path, nargs="?", default=Path("../shared"))
    shared = parser.parse_args().shared
    published, peaks = network_sets(shared / "truth" / "network.csv")
    parts: Mapping[str, Sequence[MeasuredSet]] = {
        "published": published,
        "single sizes and peaks": peaks,
        "vidur": list(vidur_sets(shared / "profiles" / "vidur" / "network")),
        "NCCL kernels": list(kernel_sets(shared / "profiles" / "aiconfigurator" / "data")),
    }
    print(
        "| set | predictor | n, 1 MiB and more | mean % | p90 % | max % "
        "| n, 16 MiB and more | mean % | n, all | mean % |"
    )
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for title, sets in parts.items():
        print_part(title, sets)


if __name__ == "__main__":
    main()
