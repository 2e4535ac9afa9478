"""Stores: drives, file systems and object stores, by what one unit of each delivers."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from dcsim.catalog.entry import Entry
from dcsim.units import BytesPerSecond, PerSecond, PositiveBytes, Seconds, UsdPerByte, UsdPerByteSecond, Watts


class StoreScope(StrEnum):
    """Who shares a store."""

    NODE = "node"  # every node has its own; its content goes with the node
    CLUSTER = "cluster"  # all nodes share it over the fabric
    REMOTE = "remote"  # a service outside the cluster


class Store(Entry):
    """One unit of a store: bandwidth, rates and capacity grow with the number of units."""

    scope: StoreScope = Field(
        description="node (each has its own), cluster (shared over the fabric) or remote (a service)."
    )
    unit: str = Field(description="What one unit is: a drive, a server, a rack, a terabyte, a prefix.")
    read_bytes_per_s: BytesPerSecond | None = Field(
        default=None,
        alias="read_bandwidth",
        description="Read by all clients together, per unit; no common limit if left out.",
    )
    write_bytes_per_s: BytesPerSecond | None = Field(
        default=None,
        alias="write_bandwidth",
        description="Written by all clients together, per unit; no common limit if left out.",
    )
    node_read_bytes_per_s: BytesPerSecond | None = Field(
        default=None,
        alias="node_read_bandwidth",
        description="Read by one node, whatever the number of units; no limit but its network if left out.",
    )
    node_write_bytes_per_s: BytesPerSecond | None = Field(
        default=None,
        alias="node_write_bandwidth",
        description="Written by one node; no limit but its network if left out.",
    )
    read_operations_per_s: PerSecond | None = Field(
        default=None, alias="read_iops", description="Read operations per unit; no limit if left out."
    )
    write_operations_per_s: PerSecond | None = Field(
        default=None, alias="write_iops", description="Write operations per unit; no limit if left out."
    )
    metadata_per_s: PerSecond | None = Field(
        default=None,
        alias="metadata_rate",
        description="Files opened or created, per unit; no limit if left out.",
    )
    request_bytes: PositiveBytes | None = Field(
        default=None,
        alias="request_size",
        description="Largest operation: a larger file takes several. One per file if left out.",
    )
    latency_s: Seconds = Field(alias="latency", description="From a request to its first byte.")
    capacity_bytes: PositiveBytes | None = Field(
        default=None, alias="capacity", description="Usable capacity of a unit; no limit if left out."
    )
    power_w: Watts = Field(
        default=0.0, alias="power", description="Power of a unit in use; 0 where a provider pays for it."
    )
    capex_usd_per_byte: UsdPerByte = Field(
        default=0.0, alias="purchase_price", description="Price of bought capacity."
    )
    usd_per_byte_s: UsdPerByteSecond = Field(
        default=0.0, alias="rent", description="Price of rented capacity and time."
    )
    egress_usd_per_byte: UsdPerByte = Field(
        default=0.0, alias="egress_price", description="Price of bytes that leave the provider's region."
    )
