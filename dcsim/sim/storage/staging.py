"""Staging: a data set is copied to the store that a job reads it from."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import simpy

from dcsim.formulas.storage import Access
from dcsim.sim.storage.capacity import Holding
from dcsim.sim.storage.store import Store

STAGING = "staging"


class Staging:
    """The copy of one data set, which all jobs that read it share.

    It reads and writes at once, in competition with all else that uses the two stores and the fabric. Where
    the nodes' own drives take it, each node has an equal part; a node that comes later, or has been replaced,
    gets its part then. A copy goes on whatever happens to the job, and stays to the end of the run.
    """

    def __init__(
        self, environment: simpy.Environment, source: Store, target: Store, access: Access, job: str
    ) -> None:
        self._environment = environment
        self._source, self._target = source, target
        self._access, self._label = access, f"{STAGING} {job}"
        self._copies: list[Holding] = []
        self._copying: simpy.Process | None = None

    def copy_to(self, nodes: Sequence[int]) -> simpy.Event | None:
        """Copy what these nodes lack, and return the event of its end; None if they lack nothing.

        Once a copy has ended they may lack something still. Raises InfeasibleError where it does not fit.
        """
        if self._copying is not None and self._copying.is_alive:
            return self._copying
        lacking = self._lacking(nodes)
        if not lacking:
            return None
        self._copying = self._environment.process(self._copy(lacking))
        return self._copying

    def _lacking(self, nodes: Sequence[int]) -> Sequence[int]:
        """The nodes that have no part of it; all or none where they share the store."""
        if not self._target.is_local:
            return () if self._copies else nodes
        have = {node for copy in self._copies for node in copy.nodes if node not in copy.lost_nodes}
        return [node for node in nodes if node not in have]

    def _copy(self, nodes: Sequence[int]) -> Generator[simpy.Event, object, None]:
        frac = len(nodes) / self._access.num_nodes if self._target.is_local else 1.0
        num_bytes, num_files = self._access.num_bytes * frac, max(1, round(self._access.num_files * frac))
        holding = self._target.reserve(num_bytes, nodes, what="data set")
        read = self._source.read(nodes, num_bytes, num_files=num_files, label=self._label)
        write = self._target.write(nodes, num_bytes, num_files=num_files, label=self._label)
        yield simpy.AllOf(self._environment, (read, write))
        self._copies.append(holding)
