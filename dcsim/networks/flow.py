"""Flows: bytes that go from one endpoint of the network to another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

Endpoint: TypeAlias = int | str  # the number of a node, or the name of a gateway
Ends: TypeAlias = tuple[tuple[Endpoint, ...], tuple[Endpoint, ...]]  # sources; the destination of each


@dataclass(frozen=True, slots=True)
class Flow:
    """Bytes from one endpoint to another, at most so fast.

    A flow between two nodes leaves over all ports of its source evenly, as the accelerators of a node each
    use a port of their own; limit it to one port's rate where only one accelerator sends.
    """

    source: Endpoint
    destination: Endpoint
    num_bytes: float
    max_bytes_per_s: float = math.inf

    @property
    def num_flows(self) -> int:
        """One."""
        return 1

    @property
    def ends(self) -> Ends:
        """Its source and destination."""
        return ((self.source,), (self.destination,))


@dataclass(frozen=True, slots=True)
class FlowBundle:
    """Equal flows that move at one rate, that of the slowest: a step of a collective, a sharded checkpoint.

    ``num_bytes`` and ``max_bytes_per_s`` are those of each flow. To the solver a bundle is one flow that
    crosses a link as often as its members do, so that a job of thousands of nodes costs one row.
    """

    sources: tuple[Endpoint, ...]
    destinations: tuple[Endpoint, ...]
    num_bytes: float
    max_bytes_per_s: float = math.inf

    @property
    def num_flows(self) -> int:
        """Its members."""
        return len(self.sources)

    @property
    def ends(self) -> Ends:
        """Sources and destinations of its members."""
        return (self.sources, self.destinations)


AnyFlow: TypeAlias = Flow | FlowBundle


def ring_flows(
    nodes: Sequence[int], num_bytes: float, max_bytes_per_s: float = math.inf
) -> tuple[FlowBundle, ...]:
    """A ring through the nodes in their order, each sending to the next; nothing for fewer than two nodes.

    An all-reduce of S bytes per node over n nodes sends ``num_bytes`` = 2 (n-1)/n S over each hop.
    """
    if len(nodes) < 2:
        return ()
    sources = tuple(nodes)
    return (FlowBundle(sources, (*sources[1:], sources[0]), num_bytes, max_bytes_per_s),)


def gather_flows(
    sources: Sequence[Endpoint],
    destination: Endpoint,
    num_bytes: float,
    max_bytes_per_s: float = math.inf,
) -> tuple[FlowBundle, ...]:
    """Every source sends ``num_bytes`` to one destination: a sharded checkpoint on its way to a store."""
    ends = (tuple(sources), (destination,) * len(sources))
    return (FlowBundle(*ends, num_bytes, max_bytes_per_s),) if sources else ()


def scatter_flows(
    source: Endpoint,
    destinations: Sequence[Endpoint],
    num_bytes: float,
    max_bytes_per_s: float = math.inf,
) -> tuple[FlowBundle, ...]:
    """One source sends ``num_bytes`` to every destination: weights loaded, a checkpoint restored."""
    ends = ((source,) * len(destinations), tuple(destinations))
    return (FlowBundle(*ends, num_bytes, max_bytes_per_s),) if destinations else ()
