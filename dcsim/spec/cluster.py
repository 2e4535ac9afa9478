"""The cluster section: which nodes, and how many."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dcsim.catalog.accelerator import Accelerator
from dcsim.catalog.loader import load_entry
from dcsim.catalog.node import Node
from dcsim.spec.fabric import FabricSpec
from dcsim.spec.reference import Reference
from dcsim.spec.section import Section
from dcsim.spec.storage import StoreSpec


class Cluster(Section):
    """A number of equal nodes."""

    node: Annotated[Node, Reference("nodes")] = Field(
        description="Node, a catalogue name, a file, or {base: NAME, field: value}."
    )
    accelerator: Annotated[Accelerator, Reference("accelerators")] | None = Field(
        default=None,
        description="Accelerator in place of the node's own: a catalogue name, a file, or "
        "{base: NAME, field: value}. Prices stay those of the node and of the entry's name.",
    )
    num_nodes: int = Field(gt=0, le=1_000_000, description="Number of nodes.")
    fabric: FabricSpec | None = Field(
        default=None, description="Network between nodes. Left out: transfers share nothing."
    )
    storage: dict[str, StoreSpec] = Field(
        default_factory=dict, description="Stores, by name. Left out: nothing is read or written."
    )

    @property
    def installed_accelerator(self) -> Accelerator:
        """The accelerator that the nodes carry."""
        entry = self.accelerator or load_entry("accelerators", self.node.accelerator)
        assert isinstance(entry, Accelerator)
        return entry
