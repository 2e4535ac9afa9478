import numpy as np
import pytest

from dcsim.formulas.executed_work import executed_compute_s, executed_memory_s
from dcsim.formulas.power import power_rise_w
from dcsim.formulas.step_time import StepWork
from dcsim.metrics.summary import summarize
from dcsim.spec.deployment import resolve_deployment
from dcsim.tables import RunTables
from dcsim.units import JOULES_PER_KWH
from tests.metrics.by_hand import requests, scenario, served, serving_tables, steps

FACILITY = {"facility": {"site": "germany", "pue": 1.5}}
BUSY = {
    "started_at_s": 0.0,
    "duration_s": 10.0,
    "num_steps": 1000,
    "num_decodes": 8,
    "decode_context_tokens": 8000,
}


def summary(*step_rows, **overrides):
    tables = serving_tables(requests(served(0.0)), steps(*step_rows))
    return summarize(scenario(**overrides), [RunTables({"chat": tables})]).values


def idle_w(node, accelerator):
    return node.host_idle_w + node.num_accelerators * accelerator.idle_w


def test_a_cluster_without_work_draws_the_idle_power_of_every_node():
    energy = summary(cluster__num_nodes=3)["energy"]
    deployment = resolve_deployment(scenario(), "chat")
    assert energy["it_j"] == pytest.approx(3 * idle_w(deployment.node, deployment.accelerator) * 10.0)
    assert energy["it_j_per_output_token"] is None


def test_a_busy_accelerator_draws_its_formula_and_the_seven_others_idle():
    energy = summary(BUSY)["energy"]
    deployment = resolve_deployment(scenario(), "chat")
    work = StepWork(
        num_tokens=8.0, num_decodes=8.0, decode_context_tokens=8000.0 + 8 * 999 / 2, num_sampled=8.0
    )
    memory_use = executed_memory_s(deployment.deployment, work) * 100.0
    compute_use = executed_compute_s(deployment.deployment, work) * 100.0
    rise_w = power_rise_w(deployment.accelerator.power_curve, memory_use, compute_use)
    expected_w = rise_w + 8 * deployment.accelerator.idle_w
    assert energy["accelerator_j"] == pytest.approx(10.0 * expected_w)


def test_a_workloads_own_accelerators_leave_out_hosts_and_idle_neighbours():
    values = summary(BUSY)
    chat, energy = values["serving"]["chat"], values["energy"]
    deployment = resolve_deployment(scenario(), "chat")
    others_j = 10.0 * 7 * deployment.accelerator.idle_w
    assert 10.0 * chat["accelerator_power_w"] == pytest.approx(energy["accelerator_j"] - others_j)
    assert 8000 * chat["accelerator_j_per_output_token"] == pytest.approx(10.0 * chat["accelerator_power_w"])


def test_fans_and_conversion_are_paid_on_the_rise_above_idle():
    energy = summary(BUSY)["energy"]
    deployment = resolve_deployment(scenario(), "chat")
    rise_j = energy["accelerator_j"] - 80.0 * deployment.accelerator.idle_w
    overhead = 1.0 + deployment.node.overhead_frac
    assert energy["it_j"] == pytest.approx(energy["idle_j"] + overhead * rise_j)


def test_energy_is_the_integral_of_power():
    rows = [
        {**BUSY, "started_at_s": 1.0, "duration_s": 3.7},
        {**BUSY, "started_at_s": 5.0, "duration_s": 0.01},
    ]
    energy = summary(*rows)["energy"]
    timeline = energy["timeline"]
    assert sum(timeline["it_w"]) * timeline["bin_s"] == pytest.approx(energy["it_j"])


def test_energy_before_the_warmup_and_in_the_drain_does_not_count():
    rows = [
        {**BUSY, "started_at_s": 0.0, "duration_s": 2.0},
        {**BUSY, "started_at_s": 9.0, "duration_s": 5.0},
    ]
    whole, cut = (
        summary(*rows)["energy"],
        summary({**BUSY, "started_at_s": 9.0, "duration_s": 5.0}, warmup="2 s")["energy"],
    )
    assert cut["duration_s"] == 8.0
    assert whole["it_j"] > cut["it_j"]
    assert summary(*rows, warmup="2 s")["energy"]["it_j"] == pytest.approx(cut["it_j"])


def test_pue_is_applied_once():
    energy = summary(BUSY, **FACILITY)["energy"]
    assert energy["pue"] == 1.5
    assert energy["facility_j"] == pytest.approx(1.5 * energy["it_j"])
    assert energy["facility_j_per_output_token"] == pytest.approx(energy["facility_j"] / 8000)


def test_without_a_facility_nothing_is_said_about_it():
    values = summary(BUSY)
    assert values["energy"]["facility_j"] is None
    assert values["carbon"] is None
    assert values["cost"] is None


def test_carbon_and_electricity_follow_facility_energy():
    given = scenario(**FACILITY, economics={"prices": "owned-2026"})
    values = summary(BUSY, **FACILITY, economics={"prices": "owned-2026"})
    site, kwh = given.facility.site, values["energy"]["facility_j"] / JOULES_PER_KWH
    assert values["carbon"]["operational_kg"] == pytest.approx(kwh * site.carbon_kg_per_j * JOULES_PER_KWH)
    assert values["cost"]["electricity_usd"] == pytest.approx(
        kwh * site.electricity_usd_per_j * JOULES_PER_KWH
    )
    lifetime_s = given.economics.prices.lifetime_s
    assert values["carbon"]["embodied_kg"] == pytest.approx(
        given.cluster.node.embodied_kg * 10.0 / lifetime_s
    )


def test_lanes_of_a_pipeline_share_their_accelerators():
    two = {"serving__chat__parallelism": {"pipeline": 2}}
    lanes = [{**BUSY, "engine": lane} for lane in (0, 1)]
    deployment = resolve_deployment(scenario(**two), "chat")
    ceiling_w = deployment.accelerator.busy_power.cap_frac * deployment.accelerator.tdp_w
    one, both = (np.array([summary(*rows, **two)["energy"]["accelerator_j"]]) for rows in (lanes[:1], lanes))
    idle_j = 80.0 * deployment.accelerator.idle_w
    assert both - idle_j == pytest.approx(2 * (one - idle_j))
    assert both - idle_j <= 2 * 10.0 * (ceiling_w - deployment.accelerator.idle_w)
