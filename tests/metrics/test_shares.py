"""Shares of the cluster's money, energy and carbon: they add up to the whole, with what nobody held."""

from __future__ import annotations

import pytest

from dcsim.metrics.shares import ClusterBill
from dcsim.study.run import run
from tests.study.scenarios_for_tests import tiny

TRAINING = {
    "model": "llama-3.1-8b",
    "num_nodes": 1,
    "parallelism": {"tensor": 4},
    "batch": {"sequences": 64, "micro": 1, "tokens": 8192},
    "steps": 5,
}
JOBS = {"arrivals": {"policy": "poisson", "rate": "6 /min", "duration_mean": "10 s"}}


@pytest.fixture(scope="module")
def summary() -> dict:
    settings = {"cluster.num_nodes": 3, "duration": "2 min", "training": {"tune": TRAINING}, "jobs": JOBS}
    return run(tiny(**settings), num_processes=1).summary


@pytest.mark.parametrize(
    ("share", "whole", "unheld"),
    [
        ("cost_usd", ("cost", "total_usd"), "unheld_usd"),
        ("it_j", ("energy", "it_j"), "unheld_it_j"),
        ("carbon_kg", ("carbon", "total_kg"), "unheld_kg"),
    ],
)
def test_the_shares_of_all_work_and_what_nobody_held_are_the_whole(summary, share, whole, unheld):
    section, total = whole
    shares = [summary["serving"]["chat"][share], summary["training"]["tune"][share], summary["jobs"][share]]
    assert min(*shares, summary[section][unheld]) > 0.0
    assert sum(shares) + summary[section][unheld] == pytest.approx(summary[section][total])


@pytest.mark.parametrize(
    ("share", "whole", "unheld"),
    [
        ("cost_usd", ("cost", "total_usd"), "unheld_usd"),
        ("it_j", ("energy", "it_j"), "unheld_it_j"),
        ("carbon_kg", ("carbon", "total_kg"), "unheld_kg"),
    ],
)
def test_a_training_job_of_the_queue_counts_once(share, whole, unheld):
    training = {"tune": {**TRAINING, "scheduled": {"queue": "research"}}}
    settings = {"cluster.num_nodes": 3, "duration": "2 min", "training": training, "jobs": JOBS}
    found = run(tiny(**settings), num_processes=1).summary
    section, total = whole
    shares = [found["serving"]["chat"][share], found["training"]["tune"][share], found["jobs"][share]]
    assert min(*shares, found[section][unheld]) > 0.0
    assert sum(shares) + found[section][unheld] == pytest.approx(found[section][total])
    own = {"cluster.num_nodes": 3, "duration": "2 min", "training": training, "jobs": {}}
    alone = run(tiny(**own), num_processes=1).summary
    assert alone["jobs"][share] == 0.0, "nobody else is in the queue"
    assert alone["jobs"]["accelerator_h"] > 0.0


def test_serving_pays_for_the_accelerators_that_it_holds_all_the_time(summary):
    chat, cost = summary["serving"]["chat"], summary["cost"]
    assert chat["cost_usd"] == pytest.approx(cost["total_usd"] * chat["num_accelerators"] / 24)
    whole = cost["usd_per_million_output_tokens"]
    assert chat["usd_per_million_output_tokens"] == pytest.approx(whole / 24 * chat["num_accelerators"])


def test_serving_alone_has_no_share():
    found = run(tiny(), num_processes=1).summary
    assert "cost_usd" not in found["serving"]["chat"]
    assert "unheld_usd" not in found["cost"]


def test_nodes_that_idle_beside_a_job_do_not_lessen_its_energy():
    alone, roomy = (
        run(
            tiny(
                **{
                    "serving": {},
                    "duration": None,
                    "cluster.num_nodes": nodes,
                    "training": {"tune": TRAINING},
                }
            ),
            num_processes=1,
        ).summary
        for nodes in (1, 4)
    )
    for share in ("it_j", "carbon_kg"):
        assert roomy["training"]["tune"][share] == pytest.approx(alone["training"]["tune"][share])
    assert alone["training"]["tune"]["it_j"] == pytest.approx(alone["energy"]["it_j"])
    idle_w = alone["energy"]["idle_j"] / alone["energy"]["duration_s"]
    window_s = roomy["energy"]["duration_s"]
    assert roomy["energy"]["unheld_it_j"] == pytest.approx(3 * idle_w * window_s)


def test_without_prices_there_is_energy_alone():
    bill = ClusterBill.of({"energy": {"it_j": 8.0, "idle_j": 6.0}, "cost": None}, 4.0, rise_j=1.0)
    figures = bill.share(1.0, 0.5).of_tokens(2.0, "token")
    assert {key: value for key, value in figures.items() if value is not None} == {
        "it_j": 6.0 / 4 + 2.0 / 2,
        "it_j_per_token": 1.25,
    }
