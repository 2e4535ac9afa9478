"""Whether the ends of a torus are joined: by the size of a slice, and as a fabric says."""

from __future__ import annotations

import pytest

import dcsim
from dcsim.formulas.network.group_network import Collective, GroupNetwork
from dcsim.formulas.training.groups import RankGroup
from dcsim.spec.scenario import Scenario
from dcsim.spec.training.deployment import unchecked_training

TEXT = """\
name: slice
cluster: {node: tpu-v4-host, num_nodes: 64}
training:
  job:
    model: llama-3.1-8b
    software: maxtext
    parallelism: {tensor: 4}
    batch: {sequences: 256, micro: 1, tokens: 4096}
    sharding: full
    tokens: 1e+9
"""


@pytest.fixture
def scenario() -> Scenario:
    return dcsim.load(TEXT)


def tpu_slice(scenario: Scenario, node: str, num_nodes: int, **cluster: object) -> GroupNetwork:
    changed = scenario.replace(
        {
            "cluster": {"node": node, "num_nodes": num_nodes, **cluster},
            "training.job.batch.sequences": 4 * num_nodes,
        }
    )
    return unchecked_training(changed, "job").hardware.network


@pytest.mark.parametrize(
    ("node", "num_nodes", "wraps"),
    [
        ("tpu-v4-host", 8, (False, False, False)),  # 2 x 4 x 4: no whole cube
        ("tpu-v4-host", 16, (True, True, True)),
        ("tpu-v5p-host", 32, (True, True, True)),  # 4 x 4 x 8
        ("tpu-v5e-host", 4, (False, False)),
        ("tpu-v5e-host", 32, (False, True)),  # 8 x 16: the longer axis
        ("tpu-v5e-host", 64, (True, True)),
        ("tpu-v6e-host", 16, (False, False)),
    ],
)
def test_slices_of_tpus_have_rings_where_the_scaling_book_says(
    scenario: Scenario, node: str, num_nodes: int, wraps: tuple[bool, ...]
) -> None:
    """jax-ml, "How To Scale Your Model", chapter 2, "TPU networking"."""
    assert tpu_slice(scenario, node, num_nodes).torus_wraps == wraps


def test_a_torus_of_the_fabric_without_wrap_leaves_axes_open(scenario: Scenario) -> None:
    def wraps(wrap: object, *axes: int) -> tuple[bool, ...]:
        fabric = {"topology": {"policy": "torus", "axes": list(axes), "wrap": wrap}}
        return tpu_slice(scenario, "tpu-v4-host", 32, fabric=fabric).torus_wraps  # 4 x 4 x 8 chips

    assert wraps(True, 2, 4, 4) == (True, True, True)
    assert wraps(False, 2, 4, 4) == (False, False, False)
    assert wraps([True, True, False], 4, 4, 2) == (False, True, True)  # its shortest axis
    assert wraps([True, False], 8, 4) == (False, False, False)  # axes of another number: all or none


def test_what_is_exposed_of_a_step_more_than_doubles_on_a_torus_that_is_cut_open(scenario: Scenario) -> None:
    """A line has half the bandwidth of a ring; what hides under computation does not grow with it."""
    ring, line = (
        unchecked_training(
            scenario.replace(
                {"cluster.fabric": {"topology": {"policy": "torus", "axes": [4] * 3, "wrap": one}}}
            ),
            "job",
        )
        for one in (True, False)
    )
    group, kind = RankGroup(4, 1), Collective.ALL_GATHER
    ring_s, line_s = (group.time_s(kind, one.hardware.network, 1e9) for one in (ring, line))
    assert line_s == pytest.approx(2 * ring_s, rel=1e-3)
    assert line.step().tensor_s >= 2 * ring.step().tensor_s
    assert line.step().compute_s == ring.step().compute_s


def test_a_gather_on_sixteen_v5e_takes_what_the_scaling_book_says(scenario: Scenario) -> None:
    """Chapter 2, question 6: 15 of 16 GB over one link of each of two axes; here at 90 % of 45 GB/s."""
    network = tpu_slice(scenario, "tpu-v5e-host", 4)
    assert network.torus_axes == (4, 4)
    found = RankGroup(16, 1).time_s(Collective.ALL_GATHER, network, 16e9)
    assert found == pytest.approx(15e9 / (2 * 0.9 * 45e9), rel=1e-3)
