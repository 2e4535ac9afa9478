"""Who sends to whom: rings, stages and all-to-all among the right nodes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dcsim
from dcsim.formulas.training.traffic import Direction, Pattern
from dcsim.sim.simulation import simulate
from dcsim.spec.training.deployment import resolve_training
from dcsim.spec.training.flows import pattern_flows


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


OVERSUBSCRIBED = """
name: oversubscribed
cluster:
  node: dgx-h100
  num_nodes: 16
  fabric: {topology: {policy: leaf_spine, hosts_per_leaf: 2}, oversubscription: 8}
training:
  job:
    model: mixtral-8x7b
    parallelism: {tensor: 1, expert: 8, pipeline: 2, data: 64}
    batch: {sequences: 512, micro: 1, tokens: 4096}
    sharding: full
    steps: 20
"""


def test_a_job_carries_the_bytes_of_its_steps_however_slow_the_fabric_makes_them() -> None:
    scenario = dcsim.load(OVERSUBSCRIBED)
    deployment = resolve_training(scenario, "job")
    tables = simulate(scenario, 0)
    links, spans = tables.cluster["links"], tables.cluster["training_spans"]
    assert float(spans["contention_s"].sum()) > 0.15 * float(spans["duration_s"].sum())
    is_sent = np.char.startswith(links["source"].astype(str), "node")
    planned = 16 * deployment.scale_out_bytes_per_node * 20
    assert float(links["num_bytes"][is_sent].sum()) == pytest.approx(planned, rel=0.08)
