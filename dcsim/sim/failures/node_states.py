"""Which nodes are up, who holds them, which are slow, and which have been asked to leave."""

from __future__ import annotations

from collections.abc import Container, Iterable

from dcsim.sim.failures.failure import NodeListener


class NodeStates:
    """The state of every node. A node's generation counts its returns from repair."""

    def __init__(self, num_nodes: int) -> None:
        self.num_nodes = num_nodes
        self._is_down = bytearray(num_nodes)
        self._generation: dict[int, int] = {}
        self._slow_factor: dict[int, float] = {}
        self._listeners: dict[int, list[NodeListener]] = {}

    def is_up(self, node: int) -> bool:
        """Whether the node is in service."""
        return not self._is_down[node]

    def up(self, nodes: Iterable[int]) -> tuple[int, ...]:
        """Those of the nodes that are in service."""
        return tuple(node for node in nodes if not self._is_down[node])

    def generation(self, node: int) -> int:
        """How often the node has come back from repair: a promise about an older generation is void."""
        return self._generation.get(node, 0)

    def take_down(self, node: int) -> None:
        """The node is out of service, and held by nobody."""
        self._is_down[node] = 1
        self._listeners.pop(node, None)

    def bring_back(self, node: int, *, is_as_new: bool) -> None:
        """The node is in service again; a repaired one is of a new generation and no longer slow."""
        self._is_down[node] = 0
        if is_as_new:
            self._generation[node] = self.generation(node) + 1
            self._slow_factor.pop(node, None)

    def slow_factor(self, node: int) -> float:
        """How many times as long the node computes as it should."""
        return self._slow_factor.get(node, 1.0)

    def slowest_factor(self, nodes: Container[int]) -> float:
        """The factor of the slowest of some nodes; only those that are slow at all are looked at."""
        return max((factor for node, factor in self._slow_factor.items() if node in nodes), default=1.0)

    def slow_down(self, node: int, factor: float) -> None:
        """The node computes that many times as long; of several reasons the worst counts."""
        self._slow_factor[node] = max(factor, self.slow_factor(node))

    def listen(self, nodes: Iterable[int], listener: NodeListener) -> None:
        """Tell a listener what happens to these nodes."""
        for node in nodes:
            self._listeners.setdefault(node, []).append(listener)

    def forget(self, nodes: Iterable[int], listener: NodeListener) -> None:
        """Stop telling a listener about these nodes."""
        for node in nodes:
            if listener in self._listeners.get(node, ()):
                self._listeners[node].remove(listener)

    def listeners(self, nodes: Iterable[int]) -> list[NodeListener]:
        """Everyone who holds any of the nodes, once, in the order of the nodes."""
        found: dict[int, NodeListener] = {}
        for node in nodes:
            for listener in self._listeners.get(node, ()):
                found.setdefault(id(listener), listener)
        return list(found.values())
