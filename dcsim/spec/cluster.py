"""The cluster section: which nodes, and how many."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dcsim.catalog.node import Node
from dcsim.spec.reference import Reference
from dcsim.spec.section import Section


class Cluster(Section):
    """A number of equal nodes."""

    node: Annotated[Node, Reference("nodes")] = Field(description="Node, a catalogue name, a file, or {base: NAME, field: value}.")
    num_nodes: int = Field(gt=0, le=1_000_000, description="Number of nodes.")
