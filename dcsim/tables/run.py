"""What one replication wrote: the tables of each serving workload, and those of the cluster around them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from dcsim.tables.serving import ServingTables
from dcsim.tables.table import Table


@dataclass(frozen=True, slots=True)
class RunTables(Mapping[str, ServingTables]):
    """Tables of one replication: ``tables["chat"].requests``, ``tables.cluster["jobs"]``.

    ``cluster`` holds the tables of what the nodes do beside serving (training, jobs, failures, links,
    storage), by name; a kind that is not simulated has none. ``ended_at_s`` is when the simulation stopped.
    """

    serving: Mapping[str, ServingTables]
    cluster: Mapping[str, Table] = field(default_factory=dict)
    ended_at_s: float = 0.0

    def __getitem__(self, name: str) -> ServingTables:
        return self.serving[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.serving)

    def __len__(self) -> int:
        return len(self.serving)
