"""A training job whose leaf is out of service waits for just that long."""

from __future__ import annotations

import pytest

import dcsim
from dcsim.sim.simulation import simulate

TEXT = """
name: outage
cluster:
  node: dgx-h100
  num_nodes: 32
  fabric: {topology: {policy: leaf_spine, hosts_per_leaf: 16}}
training:
  job:
    model: llama-3.1-8b
    parallelism: {tensor: 2, pipeline: 4}
    batch: {sequences: 512, micro: 1, tokens: 4096}
    steps: 500
"""


def ended_at_s(outages: list[dict[str, str]]) -> float:
    scenario = dcsim.load(TEXT, overrides={"cluster.fabric.outages": outages})
    return simulate(scenario, 0).ended_at_s


def test_a_job_waits_while_its_leaf_is_out_of_service() -> None:
    outage = {"switch": "leaf 1", "at": "5 min", "duration": "30 min"}
    assert ended_at_s([outage]) - ended_at_s([]) == pytest.approx(1800, abs=1e-3)


def test_a_job_does_not_wait_for_one_spine_of_many() -> None:
    outage = {"switch": "spine 1", "at": "5 min", "duration": "30 min"}
    assert ended_at_s([outage]) - ended_at_s([]) < 180
