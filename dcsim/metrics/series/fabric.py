"""Series of the fabric: use of links by layer over time, and the links one by one where they are few."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from dcsim.metrics.columns import Array, Integers, floats, integers
from dcsim.metrics.figures import Figure, Figures
from dcsim.metrics.run_bins import RunBins
from dcsim.metrics.series.bins import bin_starts, chosen_rows, plain, words
from dcsim.metrics.time_bins import BinnedSums
from dcsim.tables import Table

MAX_VERTICES = 512
MAX_LINKS = 2_000
_MAX_LAYERS = 12
_MAX_LABELS = 20
_MAX_OUTAGES = 200
_PORT = " port"


def fabric_series(tables: Mapping[str, Table], ended_at_s: float, bins: RunBins) -> Figures:
    """Of one replication. The use of a link is the bytes it carried over what it could have."""
    links, loads = tables["links"], tables["link_loads"]
    layer_by_name = _layers_of_vertices(links)
    names = np.array([f"{layer_by_name[one]} -> {layer_by_name[other]}" for one, other in _ends(links)])
    layers, layer_of_link = np.unique(names, return_inverse=True)
    peaks = _peak_frac(links, loads)
    means = _mean_frac(links, ended_at_s)
    return {
        "layers": _layers(layers, layer_of_link, links, means, peaks),
        "timeline": {
            **bin_starts(bins),
            "layers": _timeline(layers, layer_of_link, links, loads, bins),
        },
        "links": _links(links, layer_by_name, means, peaks),
        "transfers": _transfers(tables["transfers"]),
        "outages": _outages(tables["fabric_outages"]),
    }


def layer_of(vertex: str) -> str:
    """The kind of a host or switch: its name without numbers.

    >>> layer_of("spine 0.12"), layer_of("node 7")
    ('spine', 'node')
    """
    return re.sub(r"[\s.\-_/:]*[\d.]+$", "", vertex) or vertex


def _layers_of_vertices(links: Table) -> dict[str, str]:
    """The layer of each vertex; stores have a port, through which they are reached."""
    names = {name for pair in _ends(links) for name in pair}
    stores = {name.removesuffix(_PORT) for name in names if name.endswith(_PORT)} & names
    ports = {name + _PORT for name in stores}
    return {
        name: "store" if name in stores else "store port" if name in ports else layer_of(name)
        for name in names
    }


def _ends(links: Table) -> list[tuple[str, str]]:
    return list(zip(map(str, links["source"]), map(str, links["destination"]), strict=True))


def _mean_frac(links: Table, ended_at_s: float) -> Array:
    could = floats(links, "bytes_per_s") * ended_at_s
    carried = floats(links, "num_bytes")
    return np.divide(carried, could, out=np.zeros(len(links)), where=could > 0)


def _peak_frac(links: Table, loads: Table) -> Array:
    """Each link's use in its busiest bin of the table."""
    link = integers(loads, "link")
    could = floats(links, "bytes_per_s")[link] * floats(loads, "duration_s")
    use = np.divide(floats(loads, "num_bytes"), could, out=np.zeros(len(loads)), where=could > 0)
    peaks = np.zeros(len(links))
    np.maximum.at(peaks, link, use)
    return peaks


def _layers(
    layers: npt.NDArray[np.str_], layer_of_link: Integers, links: Table, means: Array, peaks: Array
) -> Figures:
    """Each layer of links, in one direction: how wide it is, and how full."""
    rows = [layer_of_link == number for number in range(min(len(layers), _MAX_LAYERS))]
    width, carried = floats(links, "bytes_per_s"), floats(links, "num_bytes")
    return {
        "layer": words(layers[:_MAX_LAYERS]),
        "num_links": [int(one.sum()) for one in rows],
        "bytes_per_s": plain(width[one].sum() for one in rows),
        "num_bytes": plain(carried[one].sum() for one in rows),
        "mean_utilization_frac": plain(_weighted(means[one], width[one]) for one in rows),
        "max_utilization_frac": plain(means[one].max() for one in rows),
        "peak_utilization_frac": plain(peaks[one].max() for one in rows),
        "num_left_out": max(len(layers) - _MAX_LAYERS, 0),
    }


def _weighted(values: Array, weights: Array) -> float:
    whole = float(weights.sum())
    return float((values * weights).sum()) / whole if whole else 0.0


def _timeline(
    layers: npt.NDArray[np.str_], layer_of_link: Integers, links: Table, loads: Table, bins: RunBins
) -> Figures:
    """Mean use of each layer's links, bin by bin."""
    of_layer = layer_of_link[integers(loads, "link")]
    width = floats(links, "bytes_per_s")
    found: list[Figure] = []
    for number in range(min(len(layers), _MAX_LAYERS)):
        rows = of_layer == number
        sums = BinnedSums(bins.edges_s())
        sums.add(
            floats(loads, "started_at_s")[rows],
            floats(loads, "duration_s")[rows],
            {"num_bytes": floats(loads, "num_bytes")[rows]},
        )
        could = float(width[layer_of_link == number].sum()) * bins.bin_s
        found.append(plain(sums.bins("num_bytes") / could if could else sums.bins("num_bytes")))
    return {"layer": words(layers[:_MAX_LAYERS]), "utilization_frac": found}


def _links(links: Table, layer_by_name: Mapping[str, str], means: Array, peaks: Array) -> Figures:
    """The links of a picture: all between two vertices together; none where there are too many."""
    ends = _ends(links)
    names = sorted(layer_by_name, key=_in_order)
    pairs = list(dict.fromkeys(ends))
    if len(names) > MAX_VERTICES or len(pairs) > MAX_LINKS:
        names, pairs, rest = [], [], len(pairs)
    else:
        rest = 0
    number_of = {pair: number for number, pair in enumerate(pairs)}
    bundle = np.array([number_of.get(pair, 0) for pair in ends], dtype=np.int64)
    width = floats(links, "bytes_per_s")
    size = len(pairs)
    whole = np.bincount(bundle, weights=width, minlength=size)[:size]
    used = np.bincount(bundle, weights=width * means, minlength=size)[:size]
    most = np.zeros(max(size, 1))
    np.maximum.at(most, bundle, peaks)
    return {
        "vertices": {"name": list(names), "layer": [layer_by_name[name] for name in names]},
        "source": [one for one, _ in pairs],
        "destination": [other for _, other in pairs],
        "bytes_per_s": plain(whole),
        "mean_utilization_frac": plain(np.divide(used, whole, out=np.zeros(size), where=whole > 0)),
        "peak_utilization_frac": plain(most[:size]),
        "num_left_out": rest,
    }


def _in_order(name: str) -> tuple[str, list[int]]:
    return layer_of(name), [int(one) for one in re.findall(r"\d+", name)]


def _transfers(transfers: Table) -> Figures:
    """Transfers by label, those that moved the most bytes first."""
    label = transfers["label"].astype(str)
    labels, label_of = np.unique(label, return_inverse=True)
    size = floats(transfers, "num_bytes")
    moved = np.bincount(label_of, weights=size, minlength=len(labels))
    order = np.argsort(-moved, kind="stable")[:_MAX_LABELS]
    taken_s = floats(transfers, "finished_at_s") - floats(transfers, "started_at_s")
    rows = [label_of == number for number in order]
    return {
        "label": words(labels[order]),
        "num_transfers": [int(one.sum()) for one in rows],
        "num_bytes": plain(moved[order]),
        "mean_s": plain(_mean(taken_s[one]) for one in rows),
        "stalled_s": plain(floats(transfers, "stalled_s")[one].sum() for one in rows),
        "num_left_out": len(labels) - len(order),
    }


def _mean(values: Array) -> float:
    known: Sequence[float] = values[~np.isnan(values)].tolist()
    return sum(known) / len(known) if known else float("nan")


def _outages(outages: Table) -> Figures:
    shown = chosen_rows(outages, np.arange(min(len(outages), _MAX_OUTAGES)))
    return {
        "what": words(shown["what"]),
        "started_at_s": plain(floats(shown, "started_at_s")),
        "duration_s": plain(floats(shown, "duration_s")),
        "num_cables": integers(shown, "num_cables").tolist(),
        "num_left_out": len(outages) - len(shown),
    }
