"""Placements: nodes with free room in, parts of a job out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.plugins import policy_class
from dcsim.policies.fragments import Fragments, typical_jobs
from dcsim.policies.nodes import Nodes, NodeShape
from dcsim.policies.placement import Placement
from dcsim.policies.request import Part, Request


def placed(name: str, nodes: Nodes, request: Request, **options: object) -> tuple[Part, ...] | None:
    found = policy_class("dcsim.policies.placements", name).model_validate(options)
    assert isinstance(found, Placement)
    return found.place(nodes, request, np.random.default_rng(1))


def nodes_with_free(*free: int, size: int = 8, leaf: int | None = None) -> Nodes:
    """Nodes of one size, of which so many accelerators are free."""
    shapes = [NodeShape(size, leaf=i // leaf if leaf else 0) for i in range(len(free))]
    nodes = Nodes(shapes)
    nodes.take(Part(i, tuple(range(size - n)), 1000, 0, 0) for i, n in enumerate(free))
    return nodes


def where(name: str, nodes: Nodes, request: Request) -> list[int]:
    parts = placed(name, nodes, request)
    assert parts is not None
    return [part.node for part in parts]


@pytest.mark.parametrize(("name", "node"), [("pack", 2), ("spread", 1), ("best_fit", 2), ("shared_first", 0)])
def test_a_small_job_goes_to_the_fullest_or_the_emptiest_node(name, node):
    assert where(name, nodes_with_free(4, 8, 2), Request(2)) == [node]


def test_clustering_prefers_nodes_with_jobs_of_the_same_size():
    nodes = Nodes([NodeShape(8), NodeShape(8), NodeShape(8)])
    nodes.take([Part(1, (0, 1), 1000, 0, 0), Part(2, (0,), 500, 0, 0)])
    assert where("clustering", nodes, Request(2)) == [1]
    assert where("clustering", nodes, Request(0.25)) == [2]


def test_a_fraction_shares_the_fullest_accelerator_that_has_room():
    nodes = Nodes([NodeShape(4)])
    nodes.take([Part(0, (1,), 300, 0, 0), Part(0, (2,), 600, 0, 0)])
    parts = placed("pack", nodes, Request(0.5))
    assert parts is not None
    assert (parts[0].accelerators, parts[0].num_shares) == ((1,), 500)


def test_topology_aware_keeps_a_gang_under_one_leaf():
    nodes = nodes_with_free(8, 0, 8, 8, 8, 8, leaf=2)
    assert sorted(where("topology_aware", nodes, Request(16))) in ([2, 3], [4, 5])
    assert sorted(where("topology_aware", nodes, Request(8))) == [0]
    assert sorted(where("topology_aware", nodes, Request(32))) == [2, 3, 4, 5]


def test_topology_aware_places_the_rest_beside_the_full_nodes():
    nodes = nodes_with_free(4, 4, 8, 4, leaf=2)
    assert where("topology_aware", nodes, Request(12)) == [2, 3]


def test_fgd_leaves_no_rest_that_typical_jobs_cannot_use():
    """Typical jobs ask for half an accelerator: a third of one goes where it spoils least."""
    nodes = Nodes([NodeShape(1), NodeShape(1)])
    nodes.fragments = Fragments(nodes, typical_jobs([Request(0.5)], nodes.width))
    nodes.take([Part(0, (0,), 600, 0, 0)])  # 0.4 left: lost to typical jobs already
    assert where("fgd", nodes, Request(0.3)) == [0]


def test_a_job_goes_only_to_nodes_with_cores_memory_and_the_right_model():
    shapes = [NodeShape(8, 1000, 10, "a"), NodeShape(8, 9000, 10, "b"), NodeShape(8, 9000, 99, "b")]
    assert where("spread", Nodes(shapes), Request(1, cores=2.0)) == [1]
    assert where("spread", Nodes(shapes), Request(1, memory_bytes=50)) == [2]
    assert where("spread", Nodes(shapes), Request(1, models=("a",))) == [0]
    assert placed("spread", Nodes(shapes), Request(1, cores=2.0, models=("a",))) is None


def fragments_by_hand(free: list[int], typical: list[float]) -> float:
    """Expected free thousandths that the next of equally likely jobs could not use."""
    lost = 0.0
    for size in typical:
        share, count = (round(size * 1000), 1) if size < 1 else (1000, int(size))
        able = [one for one in free if one >= share]
        lost += sum(free) - sum(able) if len(able) >= count else sum(free)
    return lost / len(typical)


@settings(max_examples=50, deadline=None)
@given(
    used=st.lists(st.integers(0, 10), min_size=4, max_size=4),
    typical=st.lists(st.sampled_from([0.2, 0.5, 1.0, 2.0, 4.0]), min_size=1, max_size=5, unique=True),
)
def test_fragments_are_what_a_count_by_hand_finds(used, typical):
    nodes = Nodes([NodeShape(4)])
    nodes.take(Part(0, (i,), 100 * tenths, 0, 0) for i, tenths in enumerate(used))
    fragments = Fragments(nodes, typical_jobs([Request(size) for size in typical], 4, popularity_frac=1.0))
    expected = fragments_by_hand(nodes.free_shares[0], typical)
    assert fragments.accelerators() * 1000 == pytest.approx(expected)
