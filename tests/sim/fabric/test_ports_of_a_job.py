"""A fabric whose ports are narrower than the node's own NICs slows the collectives of jobs down."""

from __future__ import annotations

import math

import pytest

import dcsim
from dcsim.formulas.training.step import StepCondition
from dcsim.sim.simulation import simulate
from dcsim.spec.training.deployment import resolve_training
from dcsim.study.training_estimate import estimate_training
from tests.sim.storage.test_samples_on_the_fabric import TEXT as EDGES

TEXT = """
name: ports
cluster: {node: dgx-h100, num_nodes: 4, fabric: {topology: leaf_spine}}
training:
  job:
    model: llama-3.1-8b
    parallelism: {tensor: 8, data: 4}
    batch: {sequences: 128, micro: 1, tokens: 8192}
    steps: 20
reliability: {initialization: 0 s}
"""


@pytest.mark.parametrize(("rails", "frac"), [(16, 1.0), (8, 1.0), (4, 0.5), (1, 0.125)])
def test_a_step_takes_what_it_takes_with_so_much_of_the_nodes_rate(rails: int, frac: float) -> None:
    scenario = dcsim.load(TEXT, overrides={"cluster.fabric.rails": rails})
    step = resolve_training(scenario, "job").step(StepCondition(scale_out_share_frac=frac))
    assert simulate(scenario, 0).ended_at_s == pytest.approx(20 * step.total_s)
    assert estimate_training(scenario)["job"].step_s == pytest.approx(step.total_s)


def test_a_slower_link_is_told_as_contention() -> None:
    fast, slow = (
        simulate(dcsim.load(TEXT, overrides={"cluster.fabric.link": link}), 0)
        for link in ("infiniband-ndr", "ethernet-100g")
    )
    longer_s = slow.ended_at_s - fast.ended_at_s
    assert longer_s > 0.0
    assert float(slow.cluster["training_spans"]["contention_s"].sum()) == pytest.approx(longer_s)


@pytest.mark.parametrize("rate", [20e9, 4e9, 1e9])
def test_collectives_and_samples_that_share_narrow_cables_both_carry_their_bytes(rate: float) -> None:
    narrow = {f"cluster.fabric.topology.cables.{number}.bandwidth": f"{rate} B/s" for number in range(5)}
    scenario = dcsim.load(EDGES, overrides=narrow)
    deployment, links = resolve_training(scenario, "job"), simulate(scenario, 0).cluster["links"]
    by_end = {
        (str(source), str(destination)): float(num_bytes)
        for source, destination, num_bytes in zip(
            links["source"], links["destination"], links["num_bytes"], strict=True
        )
    }
    sent = math.fsum(by_end[f"node {node}", "core"] for node in range(4))
    assert sent == pytest.approx(20 * 4 * deployment.scale_out_bytes_per_node, rel=0.06)
    assert by_end["edge", "core"] == pytest.approx(20 * deployment.num_input_bytes_per_step)
