"""Estimates of training jobs, and the search over plans."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from dcsim.errors import InfeasibleError
from dcsim.formulas.training.choices import Recompute
from dcsim.formulas.training.step import StepCondition
from dcsim.spec.loader import load
from dcsim.spec.scenario import Scenario
from dcsim.spec.training.deployment import resolve_training
from dcsim.study.gallery import load_scenario
from dcsim.study.run import run
from dcsim.study.strategy import StrategySpace, rank_strategies
from dcsim.study.training_estimate import estimate_training
from dcsim.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

TEXT = """\
name: small
cluster: {node: dgx-h100, num_nodes: 2}
training:
  job:
    model: llama-3.1-8b
    parallelism: {tensor: 2}
    batch: {sequences: 64, micro: 1, tokens: 4096}
    steps: 1000
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    path = tmp_path / "small.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return load(path)


def test_days_are_steps_times_the_step(scenario: Scenario) -> None:
    found = estimate_training(scenario)["job"]
    assert found.days == pytest.approx(1000 * found.step.total_s / SECONDS_PER_DAY)
    assert found.num_tokens == 1000 * 64 * 4096
    assert found.tokens_per_accelerator_s * 16 * found.step_s == pytest.approx(64 * 4096)


def test_a_job_without_an_end_has_no_days(scenario: Scenario) -> None:
    found = estimate_training(scenario.replace({"training.job.steps": None, "duration": "1 h"}))["job"]
    assert (found.days, found.cost_usd, found.it_j) == (None, None, None)


def test_rented_accelerators_cost_their_price_by_the_hour(scenario: Scenario) -> None:
    priced = scenario.replace({"economics.prices": "on-demand-2026"})
    found = estimate_training(priced)["job"]
    assert priced.economics is not None
    usd_per_s = priced.economics.prices.accelerator_usd_per_s["h100-sxm"]  # type: ignore[union-attr]
    assert found.days is not None
    assert found.cost_usd == pytest.approx(16 * usd_per_s * found.days * SECONDS_PER_DAY)


def test_energy_is_power_times_time(scenario: Scenario) -> None:
    found = estimate_training(scenario)["job"]
    assert found.it_j is not None
    assert found.days is not None
    accelerators_j = 16 * found.accelerator_w * found.days * SECONDS_PER_DAY
    assert 1.0 < found.it_j / accelerators_j < 2.0  # hosts, fans and conversion on top


def test_a_sweep_goes_in_rounds_and_pays_for_all_trials(scenario: Scenario) -> None:
    one = estimate_training(
        scenario.replace({"economics.prices": "on-demand-2026", "training.job.num_nodes": 1})
    )
    many = estimate_training(
        scenario.replace(
            {
                "economics.prices": "on-demand-2026",
                "training.job.num_nodes": 1,
                "training.job.kind": "sweep",
                "training.job.sweep": {"trials": 6, "concurrent": 2},
            }
        )
    )
    alone, sweep = one["job"], many["job"]
    assert alone.days is not None
    assert sweep.days == pytest.approx(3 * alone.days)
    assert alone.cost_usd is not None
    assert sweep.cost_usd == pytest.approx(6 * alone.cost_usd)


def test_trials_of_a_sweep_keep_their_nodes_beside_scheduled_jobs(scenario: Scenario) -> None:
    sweep = {
        "cluster.num_nodes": 3,
        "duration": "1 h",
        "calibration_draws": 0,
        "training.job.num_nodes": 1,
        "training.job.kind": "sweep",
        "training.job.sweep": {"trials": 2, "concurrent": 2},
        "jobs.arrivals": {
            "policy": "poisson",
            "rate": "2 /h",
            "duration_mean": "1 h",
            "sizes": [{"accelerators": 8, "share": "100 %"}],
        },
    }
    job = cast(dict[str, Any], run(scenario.replace(sweep)).summary)["training"]["job"]
    assert job["lost_s"]["queue"] == 0.0


def test_reinforcement_learning_generates_before_it_trains(scenario: Scenario) -> None:
    learning = {
        "training.job.kind": "rl",
        "training.job.rollout": {"prompt_tokens": 512, "output_tokens": 2048},
    }
    plain, found = (estimate_training(one)["job"] for one in (scenario, scenario.replace(learning)))
    assert found.step.generation_s > 0.0
    assert found.step_s == pytest.approx(plain.step_s + found.step.generation_s)
    assert found.mfu_frac < plain.mfu_frac
    assert found.step_s < SECONDS_PER_HOUR


def test_a_simulated_step_has_the_generation_that_the_estimate_has(scenario: Scenario) -> None:
    learning = scenario.replace(
        {
            "calibration_draws": 0,
            "training.job.kind": "rl",
            "training.job.rollout": {"prompt_tokens": 512, "output_tokens": 2048},
        }
    )
    job = cast(dict[str, Any], run(learning).summary)["training"]["job"]
    assert job["step_time_s"] == pytest.approx(estimate_training(learning)["job"].step_s)
    assert job["step_parts_s"]["generation"] > 0.0


def test_accelerators_that_are_left_generate_for_those_that_failed(scenario: Scenario) -> None:
    rollout = {"prompt_tokens": 512, "output_tokens": 2048}
    job = resolve_training(
        scenario.replace({"training.job.kind": "rl", "training.job.rollout": rollout}), "job"
    )
    half = job.step(StepCondition(num_data_parallel=job.num_data_parallel // 2))
    assert half.generation_s == pytest.approx(2.0 * job.step().generation_s)


def test_longer_outputs_take_longer_to_generate(scenario: Scenario) -> None:
    def generation_s(num_tokens: int) -> float:
        rollout = {"prompt_tokens": 512, "output_tokens": num_tokens}
        changed = scenario.replace({"training.job.kind": "rl", "training.job.rollout": rollout})
        return estimate_training(changed)["job"].step.generation_s

    assert 3.5 < generation_s(3584) / generation_s(896) < 5.0


def test_the_best_plan_is_feasible_and_no_slower_than_any_other(scenario: Scenario) -> None:
    ranking = rank_strategies(scenario, "job")
    times = [one.step_s for one in ranking.strategies]
    assert times == sorted(times)
    best = ranking.strategies[0]
    again = resolve_training(scenario.replace(best.settings), "job")
    assert again.memory.fits
    assert again.step().total_s == pytest.approx(best.step_s)
    assert best.step_s <= resolve_training(scenario, "job").step().total_s


def test_plans_that_do_not_fit_are_counted_by_their_reason(scenario: Scenario) -> None:
    ranking = rank_strategies(scenario, "job", space=StrategySpace(micro=(1, 64)))
    assert sum(ranking.num_refused.values()) < ranking.num_considered
    assert ranking.num_refused.get("activation", 0) > 0


def test_a_search_without_any_plan_says_why(scenario: Scenario) -> None:
    large = scenario.replace({"training.job.model": "llama-3.1-405b"})
    with pytest.raises(InfeasibleError, match=r"none of .* plans fits in memory"):
        rank_strategies(large, "job", space=StrategySpace(recompute=(Recompute.NONE,)))


@pytest.mark.parametrize("oversubscription", [1, 2, 4, 8])
def test_two_nodes_at_two_leaves_find_one_over_the_oversubscription(
    scenario: Scenario, oversubscription: int
) -> None:
    topology = {"policy": "leaf_spine", "hosts_per_leaf": 1, "oversubscription": oversubscription}
    found = estimate_training(scenario.replace({"cluster.fabric.topology": topology}))["job"]
    assert found.scale_out_share_frac == pytest.approx(1.0 / oversubscription)
    shared = StepCondition(scale_out_share_frac=1.0 / oversubscription)
    assert found.step_s == resolve_training(scenario, "job").step(shared).total_s
    assert found.undisturbed_step_s == estimate_training(scenario)["job"].step_s


@pytest.mark.parametrize(
    "fabric",
    [
        {},
        {"cluster.fabric.oversubscription": 2},
        {"cluster.fabric.topology": "rail_optimized", "cluster.fabric.oversubscription": 1},
        {"cluster.fabric.topology": "dragonfly", "cluster.fabric.oversubscription": None},
    ],
)
def test_the_estimate_of_rails_is_the_step_of_the_run(fabric: dict[str, object]) -> None:
    rails = load_scenario("rails", overrides={"calibration_draws": 0, **fabric})
    simulated = run(rails, num_processes=1).training["pretrain"]
    estimated = estimate_training(rails)["pretrain"]
    assert estimated.step_s == pytest.approx(simulated.number("step_time_s"), rel=0.02)
    assert estimated.undisturbed_step_s == pytest.approx(simulated.number("undisturbed_step_time_s"))


def test_serving_and_earlier_jobs_have_the_first_nodes(scenario: Scenario) -> None:
    """Two nodes at one leaf share nothing; one node further on they are at two leaves."""
    topology = {"policy": "leaf_spine", "hosts_per_leaf": 2, "oversubscription": 4}
    job = scenario.document["training"]["job"]
    jobs = {"first": {**job, "num_nodes": 1}, "second": {**job, "num_nodes": 2}}
    settings = {"cluster": {"node": "dgx-h100", "num_nodes": 4, "fabric": {"topology": topology}}}
    alone = scenario.replace({**settings, "training": {"second": jobs["second"]}})
    behind = scenario.replace({**settings, "training": jobs})
    assert estimate_training(alone)["second"].scale_out_share_frac == 1.0
    assert estimate_training(behind)["second"].scale_out_share_frac == pytest.approx(0.5)


def test_plans_are_ranked_by_their_steps_on_the_fabric(scenario: Scenario) -> None:
    topology = {"policy": "leaf_spine", "hosts_per_leaf": 1, "oversubscription": 16}
    narrow = scenario.replace({"cluster.fabric.topology": topology})
    ranking = rank_strategies(narrow, "job", limit=8)
    everyone = rank_strategies(narrow, "job", limit=10_000)
    assert everyone.strategies[:8] == ranking.strategies
    for one in ranking.strategies:
        estimated = estimate_training(narrow.replace(one.settings))["job"]
        assert one.step_s == pytest.approx(estimated.step_s)
        assert one.mfu_frac == pytest.approx(estimated.mfu_frac)
    alone = rank_strategies(scenario, "job", limit=8).strategies
    assert [one.settings for one in alone] != [one.settings for one in ranking.strategies]


def test_plans_are_ranked_by_steps_that_wait_for_their_samples(scenario: Scenario) -> None:
    starved = scenario.replace({"training.job.dataset": {"preprocessing_rate": "20 kB/s"}})
    for one in rank_strategies(starved, "job", limit=4).strategies:
        estimated = estimate_training(starved.replace(one.settings))["job"]
        assert one.step_s == pytest.approx(estimated.step_s)
        assert one.step_s == pytest.approx(64 * 4096 * 4 / 40e3)  # bytes of a step over two nodes' rate


def test_a_job_that_must_wait_for_nodes_begins_where_others_did(scenario: Scenario) -> None:
    topology = {"policy": "leaf_spine", "hosts_per_leaf": 1, "oversubscription": 4}
    job = scenario.document["training"]["job"]
    two = scenario.replace({"cluster.fabric.topology": topology, "training": {"first": job, "second": job}})
    estimates = estimate_training(two)
    assert estimates["first"].scale_out_share_frac == estimates["second"].scale_out_share_frac < 1.0


def test_racks_joined_without_oversubscription_hold_no_step_up() -> None:
    """An NVL72 rack beside another: what leaves a rack has the nodes' ports, as on leaves and spines."""
    job = {"model": "llama-3.1-8b", "batch": {"sequences": 1152, "tokens": 4096}, "steps": 10}
    cluster = {"node": "gb200-compute-tray", "num_nodes": 36, "fabric": {"topology": "scale_up_domain"}}
    racks = load({"name": "racks", "cluster": cluster, "training": {"job": job}})
    found = estimate_training(racks)["job"]
    on_leaves = estimate_training(racks.replace({"cluster.fabric.topology": "leaf_spine"}))["job"]
    assert found.step_s == pytest.approx(on_leaves.step_s, rel=1e-9)
    assert found.step_s == pytest.approx(found.undisturbed_step_s, rel=0.01)
