"""Edge list: a network of one's own, cable by cable, in the scenario or in a CSV file."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from dcsim.errors import Problem, ScenarioError
from dcsim.networks.graph import Hosts, add_cable, network_of, new_graph
from dcsim.networks.network import Network
from dcsim.networks.topology import Topology, refuse
from dcsim.plugins import Policy
from dcsim.units import BytesPerSecond, Seconds, parse_quantity
from dcsim.workloads.data_file import column_number, content, located

_HOST = re.compile(r"(?:node[ _-]?)?(\d{1,7})", re.IGNORECASE)
_MAX_CABLES = 1_000_000


class Cable(Policy):
    """One cable: the same rate in both directions."""

    one: str = Field(alias="from", min_length=1, description="One end: node0, node1, ... or a switch's name.")
    other: str = Field(alias="to", min_length=1, description="The other end.")
    bandwidth_bytes_per_s: BytesPerSecond = Field(alias="bandwidth", description="Rate per direction.")
    latency_s: Seconds = Field(default=0.0, alias="latency", description="Time from end to end.")


class EdgeList(Topology):
    """Cables between nodes, named node0, node1, ..., and switches, which have any other name.

    A file has the columns from, to, bandwidth (such as 400 Gbit/s) and, if wanted, latency. Gateways of
    stores are plugged into ``attachments``, or into every switch.
    """

    path: str | None = Field(
        default=None, min_length=1, description="CSV file, relative to the scenario's folder."
    )
    cables: list[Cable] = Field(default=[], max_length=100_000, description="Cables, instead of a file.")
    attachments: list[str] = Field(
        default=[], description="Switches that gateways of stores are plugged into."
    )

    def network(self, hosts: Hosts) -> Network:
        """The cables as they are listed. Raises ScenarioError for nodes that are not in the cluster."""
        if (self.path is None) == (not self.cables):
            raise refuse("needs a file or cables, not both", None, "Give path, or cables")
        graph = new_graph(hosts.num_hosts)
        for cable in self.cables if self.path is None else _read(located(self.path, hosts.folder)):
            one, other = (_vertex(name, hosts.num_hosts) for name in (cable.one, cable.other))
            if one == other:
                raise refuse("is a cable from a vertex to itself", cable.one, "Remove it")
            add_cable(graph, one, other, cable.bandwidth_bytes_per_s, cable.latency_s)
        switches = [vertex for vertex in graph if isinstance(vertex, str)]
        missing = [name for name in self.attachments if name not in switches]
        if missing:
            raise refuse("is no switch of the list", missing[0], "Name switches", "attachments")
        plugs: tuple[int | str, ...] = tuple(self.attachments or switches or range(hosts.num_hosts))
        return network_of(graph, hosts.num_hosts, plugs, hosts_forward=not switches)


def _vertex(name: str, num_hosts: int) -> int | str:
    match = _HOST.fullmatch(name.strip())
    if match is None:
        return name.strip()
    host = int(match.group(1))
    if host >= num_hosts:
        raise refuse(f"names a node beyond the cluster's {num_hosts}", name, "Nodes count from 0")
    return host


def _read(path: Path) -> Iterator[Cable]:
    """The cables of a CSV file. Raises ScenarioError with the line of the first bad one."""
    try:
        text = content(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ScenarioError(Problem("is not UTF-8 text", file=str(path))) from error
    rows = csv.reader(io.StringIO(text))
    header = next(rows, [])
    columns = [column_number(name, header, path) for name in ("from", "to", "bandwidth")]
    latency = header.index("latency") if "latency" in header else None
    for number, row in enumerate((row for row in rows if row), start=2):
        if number > _MAX_CABLES:
            raise ScenarioError(Problem(f"has more than {_MAX_CABLES} cables", file=str(path)))
        if len(row) != len(header):
            message = f"has {len(row)} cells, the header {len(header)}"
            raise ScenarioError(Problem(message, file=str(path), line=number))
        one, other, bandwidth = (row[column].strip() for column in columns)
        yield _cable(one, other, bandwidth, row[latency] if latency is not None else "0", path, number)


def _cable(one: str, other: str, bandwidth: str, latency: str, path: Path, line: int) -> Cable:
    try:
        rate, latency_s = parse_quantity(bandwidth, "B/s"), parse_quantity(latency or "0", "s")
    except ValueError as error:
        raise ScenarioError(Problem(str(error), file=str(path), line=line)) from error
    if rate <= 0 or latency_s < 0 or not one or not other:
        message = "needs two ends, a bandwidth above 0 and a latency of at least 0"
        raise ScenarioError(Problem(message, file=str(path), line=line, value=bandwidth))
    return Cable.model_construct(one=one, other=other, bandwidth_bytes_per_s=rate, latency_s=latency_s)
