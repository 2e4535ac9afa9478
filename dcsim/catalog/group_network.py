"""The network of a node's accelerators, as the formulas of collectives take it."""

from __future__ import annotations

from dcsim.catalog.collective import MeasuredCollectives, curves_of
from dcsim.catalog.link import Link
from dcsim.catalog.loader import load_entry
from dcsim.catalog.node import Node
from dcsim.formulas.deployment import Wire
from dcsim.formulas.network.group_network import GroupNetwork


def link_wire(link: Link, num_links: float = 1.0) -> Wire:
    """So many links side by side."""
    return Wire(
        bytes_per_s=link.bytes_per_s * num_links,
        achievable_frac=link.achievable_frac,
        base_s=link.base_s,
        hop_s=link.hop_s,
        has_in_network_reduction=link.has_in_network_reduction,
    )


def group_network(node: Node) -> GroupNetwork:
    """What groups of ranks on such nodes talk over: one scale-up domain per node, ports shared equally.

    Measured collectives come with it where the node's links name some that were measured on the same links,
    and between nodes with as many accelerators and ports to a domain. On a torus, say by
    ``dataclasses.replace`` which axes a group spans.
    """
    up, out = _link(node.scale_up), _link(node.scale_out)
    num_links = node.num_nics / node.num_accelerators
    return GroupNetwork(
        scale_up=link_wire(up),
        scale_out=link_wire(out, num_links),
        domain_size=node.num_accelerators,
        is_full_mesh=up.is_full_mesh,
        measured=curves_of(measured_on(node)),
        chunk_bytes=out.chunk_bytes * min(num_links, 1.0),  # several ports of an accelerator share chunks
        has_low_latency_protocols=out.has_low_latency_protocols,
        switch_tree_frac=up.switch_tree_frac,
        plain_tree_frac=up.plain_tree_frac,
    )


def measured_on(node: Node) -> tuple[MeasuredCollectives, ...]:
    """The measured collectives that the node's links name and that fit the node."""
    names = (*_link(node.scale_up).collectives, *_link(node.scale_out).collectives)
    entries = (load_entry("collectives", name) for name in names)
    return tuple(entry for entry in entries if isinstance(entry, MeasuredCollectives) and _fits(entry, node))


def _fits(entry: MeasuredCollectives, node: Node) -> bool:
    if entry.scale_up != node.scale_up or entry.accelerator not in (None, node.accelerator):
        return False
    here = (node.scale_out, node.num_accelerators, node.num_nics)
    return entry.scale_out is None or (entry.scale_out, entry.domain_size, entry.num_nics) == here


def _link(name: str) -> Link:
    link = load_entry("links", name)
    assert isinstance(link, Link)
    return link
