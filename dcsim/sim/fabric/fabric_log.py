"""The fabric's log: bytes on every link by bins of time, and the transfers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dcsim.formulas.network.max_min import Numbers
from dcsim.networks.network import Network
from dcsim.sim.fabric.movement import Transfer
from dcsim.tables.fabric import FABRIC_OUTAGES, LINK_LOADS, LINKS, TRANSFERS
from dcsim.tables.table import Column, Table


@dataclass(frozen=True, slots=True)
class Outage:
    """What is out of service, from when, for how long."""

    what: str
    cables: tuple[int, ...]
    started_at_s: float
    duration_s: float


class FabricLog:
    """Bytes that links carried, in bins of ``bin_s``; one bin for the whole run if that is infinite."""

    def __init__(self, num_links: int, bin_s: float) -> None:
        self._num_links, self._bin_s = num_links, bin_s
        self._bin = 0  # counted, not divided out of the time, so that rounding cannot hold it up
        self._loads: dict[int, Numbers] = {}
        self.transfers: list[Transfer] = []
        self.outages: list[Outage] = []

    @property
    def bin_ends_at_s(self) -> float:
        """When the bin ends into which ``add`` puts bytes."""
        return (self._bin + 1) * self._bin_s

    def add(self, num_bytes: Numbers) -> None:
        """Count bytes carried by each link in the bin of now."""
        before = self._loads.get(self._bin)
        self._loads[self._bin] = num_bytes if before is None else before + num_bytes

    def next_bin(self, now_s: float) -> None:
        """Go on to the next bin; several further on, if the time is beyond it."""
        self._bin = max(self._bin + 1, math.floor(now_s / self._bin_s))

    def tables(self, network: Network, ended_at_s: float) -> Mapping[str, Table]:
        """The tables links, link_loads, transfers and fabric_outages."""
        names = np.array(network.names, dtype=object)
        links = {
            "source": names[network.sources],
            "destination": names[network.destinations],
            "bytes_per_s": network.bytes_per_s,
            "num_bytes": sum(self._loads.values(), np.zeros(self._num_links)),
        }
        return {
            "links": _table(LINKS, links),
            "link_loads": _table(LINK_LOADS, self._load_columns(ended_at_s)),
            "transfers": _table(TRANSFERS, _transfer_columns(self.transfers, ended_at_s)),
            "fabric_outages": _table(FABRIC_OUTAGES, _outage_columns(self.outages, ended_at_s)),
        }

    def _load_columns(self, ended_at_s: float) -> dict[str, Numbers]:
        columns: dict[str, list[Numbers]] = {name: [np.empty(0)] for name in LINK_LOADS}
        for number in sorted(self._loads):
            used = np.flatnonzero(self._loads[number] > 0)
            started_at_s = number * self._bin_s if number else 0.0
            duration_s = min(ended_at_s, started_at_s + self._bin_s) - started_at_s
            columns["link"].append(used.astype(np.float64))
            columns["started_at_s"].append(np.full(len(used), started_at_s))
            columns["duration_s"].append(np.full(len(used), duration_s))
            columns["num_bytes"].append(self._loads[number][used])
        return {name: np.concatenate(parts) for name, parts in columns.items()}


def _transfer_columns(transfers: Sequence[Transfer], ended_at_s: float) -> dict[str, list[object]]:
    return {
        "label": [one.label for one in transfers],
        "started_at_s": [one.started_at_s for one in transfers],
        "finished_at_s": [one.finished_at_s for one in transfers],
        "num_bytes": [one.num_bytes for one in transfers],
        "num_flows": [one.num_flows for one in transfers],
        "stalled_s": [one.stalled_s(ended_at_s) for one in transfers],
    }


def _outage_columns(outages: Sequence[Outage], ended_at_s: float) -> dict[str, list[object]]:
    return {
        "what": [one.what for one in outages],
        "started_at_s": [one.started_at_s for one in outages],
        "duration_s": [min(one.duration_s, ended_at_s - one.started_at_s) for one in outages],
        "num_cables": [len(one.cables) for one in outages],
    }


def _table(
    declared: Mapping[str, Column], columns: Mapping[str, npt.NDArray[np.generic] | Sequence[object]]
) -> Table:
    return Table({name: np.asarray(columns[name], dtype=column.dtype) for name, column in declared.items()})
