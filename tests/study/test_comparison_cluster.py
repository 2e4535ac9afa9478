"""Comparison of results that serve nothing: training jobs, scheduled jobs, failures."""

import io
import re

import pytest
from rich.console import Console

from dcsim.report.comparison import comparison_sentences, show_comparison
from dcsim.result import Result
from dcsim.study.comparison import compare
from dcsim.study.run import run
from dcsim.study.slo_status import SloStatus
from tests.study.scenarios_for_tests import small_cluster, tiny


@pytest.fixture(scope="module")
def seldom() -> Result:
    return run(small_cluster(replications=3), num_processes=1)


@pytest.fixture(scope="module")
def often() -> Result:
    changed = {"training__pretrain__checkpoint__interval": "10 min"}
    return run(small_cluster(replications=3, **changed), num_processes=1)


def test_objectives_are_cost_energy_and_time_of_training_and_completion_of_jobs(seldom, often):
    comparison = compare([seldom, often])
    assert [one.path for one in comparison.objectives] == [
        "training.pretrain.usd_per_million_tokens",
        "training.pretrain.it_j_per_token",
        "training.pretrain.time_per_million_tokens_s",
        "jobs.completion_s.mean",
    ]
    assert [one.name for one in comparison.objectives] == ["cost", "energy", "time", "completion"]


def test_rows_hold_what_training_and_jobs_are_judged_by(seldom, often):
    rows = {row.path: row for row in compare([seldom, often]).rows}
    for path in (
        "training.pretrain.step_time_s",
        "training.pretrain.productive_frac",
        "jobs.wait_s.mean",
        "jobs.completion_s.p50",
        "energy.it_j",
        "cost.total_usd",
    ):
        assert path in rows
    row = rows["training.pretrain.productive_frac"]
    values = [result.summary["training"]["pretrain"]["productive_frac"] for result in (seldom, often)]
    assert [one.value for one in row.values] == values
    assert row.differences[1].absolute == pytest.approx(values[1] - values[0])


def test_runs_that_meet_the_same_failures_are_paired(seldom, often):
    assert compare([seldom, often]).is_paired == (True, True)
    other_failures = run(small_cluster(replications=3, reliability__node_mtbf="50 h"), num_processes=1)
    assert compare([seldom, other_failures]).is_paired == (True, False)


def test_without_serving_there_is_no_slo(seldom, often):
    comparison = compare([seldom, often])
    assert set(comparison.slo) == {SloStatus.NO_LIMITS}
    assert comparison.cheapest_meeting_slo is None


def test_the_sentences_name_trained_tokens(seldom, often):
    text = " ".join(comparison_sentences(compare([seldom, often], labels=["seldom", "often"])))
    assert "token" in text
    assert "output token" not in text


def test_a_run_of_jobs_alone_is_compared_by_what_it_cost_in_all():
    alone = {"training": {}, "reliability": None}
    fifo = run(small_cluster(**alone), num_processes=1)
    fair = run(small_cluster(jobs__scheduler="fair_share", **alone), num_processes=1)
    paths = [one.path for one in compare([fifo, fair]).objectives]
    assert paths == ["cost.total_usd", "energy.facility_j", "jobs.completion_s.mean"]


def test_serving_and_training_on_one_cluster_have_a_cost_each():
    shared = {"serving": tiny().document["serving"], "cluster__num_nodes": 12, "jobs": None}
    one = run(small_cluster(duration="1 h", **shared), num_processes=1)
    other = run(small_cluster(duration="1 h", seed=4, **shared), num_processes=1)
    comparison = compare([one, other])
    names = [objective.name for objective in comparison.objectives]
    assert names == ["cost.chat", "cost.pretrain", "energy.chat", "energy.pretrain", "latency", "time"]
    assert comparison.cheapest_meeting_slo is None
    assert "of pretrain" in " ".join(comparison_sentences(comparison))


def _tuning(name: str, model: str) -> Result:
    job = {"model": model, "num_nodes": 4, "steps": 3, "parallelism": {"tensor": 8}, "recompute": "full"}
    job |= {"batch": {"sequences": 32, "micro": 1, "tokens": 4096}, "software": "megatron"}
    alone = {"jobs": None, "reliability": None, "duration": None, "training": {name: job}}
    return run(small_cluster(**alone), num_processes=1)


def test_jobs_of_different_models_are_not_ranked_per_token():
    small, large = _tuning("small", "llama-3.1-8b"), _tuning("large", "llama-3.1-70b")
    comparison = compare([small, large], labels=["one", "other"])
    assert not [one.path for one in comparison.objectives if "token" in one.path]
    assert [row.is_lower_better for row in comparison.rows if "token" in row.path] == [None] * 4
    text = " ".join(comparison_sentences(comparison))
    assert "small and large train different models (llama-3.1-8b and llama-3.1-70b)" in text
    assert "per trained token" not in text


def test_jobs_of_other_names_are_named_where_their_numbers_stand():
    one, other = _tuning("mine", "llama-3.1-8b"), _tuning("yours", "llama-3.1-8b")
    comparison = compare([one, other], labels=["one", "other"])
    assert comparison.names_of_any == {"training": ("mine", "yours")}
    assert comparison.other_models == ()
    out = io.StringIO()
    show_comparison(Console(file=out, width=100), comparison)
    assert re.search(r"^ *training +mine +yours", out.getvalue(), re.MULTILINE)
    assert not re.search(r"^ *\* ", out.getvalue(), re.MULTILINE)
