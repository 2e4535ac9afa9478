"""Links: NVLink, PCIe and network links between accelerators."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from dcsim.catalog.entry import Entry
from dcsim.units import BytesPerSecond, PositiveBytes, PositiveFraction, Seconds


class LinkScope(StrEnum):
    """Where a link runs."""

    SCALE_UP = "scale_up"
    SCALE_OUT = "scale_out"
    HOST = "host"


class Link(Entry):
    """One link, per direction and per accelerator (scale-up, host) or per port (scale-out)."""

    scope: LinkScope = Field(description="scale_up (inside a node), scale_out (between nodes) or host.")
    bytes_per_s: BytesPerSecond = Field(alias="bandwidth", description="Line rate per direction.")
    achievable_frac: PositiveFraction = Field(
        alias="achievable", description="Share of the line rate that large transfers reach."
    )
    base_s: Seconds = Field(
        alias="base_latency", description="Fixed cost of a collective: launch and synchronisation."
    )
    hop_s: Seconds = Field(alias="hop_latency", description="Cost of each further step of a ring.")
    has_in_network_reduction: bool = Field(
        default=False,
        alias="in_network_reduction",
        description="Whether switches reduce (NVLS, SHARP): all-reduce moves S, not 2S.",
    )
    num_torus_axes: int = Field(
        default=0,
        alias="torus_axes",
        ge=0,
        le=3,
        description="Axes of the torus that such links make of accelerators, two links per axis and the "
        "bandwidth that of one link; 0 for a switch or a full mesh within the node.",
    )
    torus_size: int | None = Field(
        default=None, gt=0, description="Most accelerators that one torus joins, over all its nodes."
    )
    torus_ring_size: int | None = Field(
        default=None,
        alias="torus_ring",
        gt=0,
        description="The ends of an axis are joined where it has a multiple of so many accelerators; "
        "those of every axis if left out.",
    )
    needs_torus_cubes: bool = Field(
        default=False,
        alias="torus_cubes",
        description="Whether no ends are joined unless all axes are such multiples.",
    )
    is_full_mesh: bool = Field(
        default=False,
        alias="full_mesh",
        description="Whether each pair of the node has links of its own, of which the bandwidth is the sum.",
    )
    chunk_bytes: PositiveBytes = Field(
        default=1048576,
        alias="chunk",
        description="Scale-out: bytes that NCCL has under way through a port as whole chunks, two channels "
        "of a step of its buffers each.",
    )
    has_low_latency_protocols: bool = Field(
        default=True,
        alias="low_latency_protocols",
        description="Scale-out: whether NCCL may use its LL and LL128 protocols over this link.",
    )
    switch_tree_frac: PositiveFraction = Field(
        default=1.0,
        alias="switch_tree",
        description="Scale-up with in_network_reduction: share of its bandwidth that NCCL's tree with "
        "reduction in switches keeps over more than two domains.",
    )
    plain_tree_frac: PositiveFraction = Field(
        default=1.0,
        alias="plain_tree",
        description="Scale-up with in_network_reduction: bandwidth of NCCL's tree without it over more than "
        "two domains, as a share of the tree with it.",
    )
    collectives: tuple[str, ...] = Field(
        default=(),
        description="Measured collectives over this link, catalogue names; used where the node fits.",
    )
