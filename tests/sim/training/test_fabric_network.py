"""Who sends to whom: rings, stages and all-to-all among the right nodes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dcsim.formulas.training.traffic import Direction, Pattern
from dcsim.sim.training.fabric_network import pattern_flows


def pairs(pattern: Pattern, num_nodes: int, nodes_per_domain: int = 1) -> set[tuple[int, int]]:
    bundle = pattern_flows(range(num_nodes), pattern, 1.0, 1.0, nodes_per_domain)
    return set() if bundle is None else set(zip(bundle.sources, bundle.destinations, strict=True))


def test_neighbours_form_a_ring_in_each_group() -> None:
    assert pairs(Pattern(Direction.NEXT, 3, 1, 1.0), 6) == {(0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3)}


def test_stages_stand_a_stride_apart() -> None:
    assert pairs(Pattern(Direction.NEXT, 2, 2, 1.0), 4) == {(0, 2), (2, 0), (1, 3), (3, 1)}


def test_an_all_to_all_reaches_everybody_of_its_group_and_nobody_else() -> None:
    found = pairs(Pattern(Direction.ALL, 3, 1, 1.0), 6)
    assert found == {(a, b) for a in range(6) for b in range(6) if a != b and a // 3 == b // 3}


def test_nodes_of_a_rack_send_to_the_node_of_their_place_in_other_racks() -> None:
    assert pairs(Pattern(Direction.NEXT, 2, 1, 1.0), 4, nodes_per_domain=2) == {
        (0, 2),
        (2, 0),
        (1, 3),
        (3, 1),
    }


@given(st.sampled_from(Direction), st.integers(1, 60), st.integers(1, 5), st.integers(1, 6))
def test_every_node_sends_all_its_bytes(
    direction: Direction, size: int, stride: int, num_groups: int
) -> None:
    num_nodes = size * stride * num_groups
    bundle = pattern_flows(range(num_nodes), Pattern(direction, size, stride, 1.0), 5.0, 2.0, 1)
    if size == 1:
        assert bundle is None
        return
    assert bundle is not None
    sent = [bundle.sources.count(node) * bundle.num_bytes for node in range(num_nodes)]
    assert all(abs(one - 5.0) < 1e-9 for one in sent)
    received = [bundle.destinations.count(node) * bundle.num_bytes for node in range(num_nodes)]
    assert all(abs(one - 5.0) < 1e-9 for one in received)
