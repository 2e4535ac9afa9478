"""Nodes: servers with their accelerators, links and host power."""

from __future__ import annotations

from pydantic import Field

from dcsim.catalog.entry import Entry
from dcsim.units import Bytes, Kilograms, Ratio, Watts


class Node(Entry):
    """One server."""

    accelerator: str = Field(description="Accelerator, a catalogue name.")
    num_accelerators: int = Field(gt=0, description="Accelerators per node.")
    cpu: str = Field(description="Host processor, a catalogue accelerator of kind cpu.")
    num_cpus: int = Field(ge=0, description="Host processors (sockets).")
    memory_bytes: Bytes = Field(alias="memory", description="Host memory.")
    scale_up: str = Field(description="Link between the accelerators of the node.")
    scale_out: str = Field(description="Link to other nodes.")
    num_nics: int = Field(gt=0, description="Scale-out ports per node.")
    host_link: str = Field(description="Link between host and accelerator.")
    host_idle_w: Watts = Field(
        alias="host_idle_power", description="Wall power of the idle node without its accelerators."
    )
    overhead_frac: Ratio = Field(
        alias="fan_and_conversion_overhead",
        description="Extra wall power (fans, voltage regulators) per watt of accelerator power above idle.",
    )
    rated_w: Watts = Field(alias="rated_power", description="Rated (nameplate) power.")
    embodied_kg: Kilograms = Field(
        alias="embodied_carbon", description="Cradle-to-gate CO2 equivalent of the whole node."
    )
