"""The report of runs that train, schedule jobs, fail, and move bytes."""

import io
import re

import pytest
from rich.console import Console

from dcsim.report.estimate import show_estimate
from dcsim.report.numbers import TIME
from dcsim.report.part_table import part_table
from dcsim.report.text import show_result
from dcsim.report.training_words import LOST_PARTS, MEMORY_TERMS, STEP_PARTS
from dcsim.result import Result
from dcsim.spec.scenario import Scenario
from dcsim.study.run import run
from tests.study.scenarios_for_tests import small_cluster, tiny


def text_of(result: Result, width: int = 100) -> str:
    out = io.StringIO()
    show_result(Console(file=out, width=width), result)
    return out.getvalue()


@pytest.fixture(scope="module")
def result() -> Result:
    return run(small_cluster(), num_processes=1)


def test_every_section_that_was_simulated_is_told(result):
    text = text_of(result)
    for words in (
        "pretrain: NOT FINISHED",
        "where an undisturbed step goes",
        "where the time goes",
        "memory of the fullest accelerator",
        "accelerator-hours lost, by cause",
        "accelerator-hours in the window",
        "accelerator-hours, in all",
        "could never start: asks for more accelerators",
        "completion (JCT)",
        "time between them",
        "busiest link",
        "longest write",
        "IT energy",
        "per accelerator-hour",
        "energy and carbon of the whole cluster",
        "held by no work",
    ):
        assert words in text
    assert "TTFT" not in text


@pytest.mark.parametrize("width", [80, 100, 140])
def test_no_line_is_wider_than_the_terminal(result, width):
    assert max(map(len, text_of(result, width).splitlines())) <= width


def test_serving_beside_other_work_tells_its_share_and_the_whole():
    jobs = {"arrivals": {"policy": "poisson", "rate": "1 /s", "duration_mean": "5 s"}}
    text = text_of(run(tiny(jobs=jobs, cluster__num_nodes=2), num_processes=1))
    assert "its share, by accelerators held" in text
    assert text.index("its share") < text.index("cost of the whole cluster (owned)")


def test_a_finished_job_tells_how_long_it_took():
    settings = {"training__pretrain__tokens": 2e9, "jobs": None, "reliability": None, "duration": None}
    text = text_of(run(small_cluster(**settings), num_processes=1))
    assert "pretrain: FINISHED" in text
    assert re.search(r"completion\s+[\d.]+ ", text)
    assert "jobs:" not in text


def test_every_part_of_the_summary_has_a_name(result):
    summary = result.summary["training"]["pretrain"]
    assert set(summary["lost_s"]) <= set(LOST_PARTS)
    assert set(summary["step_parts_s"]) <= set(STEP_PARTS)
    assert set(summary["memory_bytes"]) <= set(MEMORY_TERMS)


def test_parts_too_small_to_see_are_summed_up():
    out = io.StringIO()
    parts = {"large": 1.0, **{f"small {number}": 1e-4 for number in range(20)}}
    Console(file=out, width=80).print(part_table(parts, TIME))
    lines = out.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("the rest")


def images(**settings: object) -> Scenario:
    tune = {"model": "resnet-50", "num_nodes": 2, "steps": 50, "batch": {"sequences": 4096}, **settings}
    others = {"jobs": None, "reliability": None, "duration": None}
    return small_cluster(training={"tune": tune}, **others)


def test_a_model_without_tokens_is_told_in_samples():
    result = run(images(), num_processes=1)
    text = text_of(result)
    assert "4,096 samples per step" in text
    assert "cost per M samples" in text
    assert "token" not in text
    assert result.training["tune"].counted_in == "samples"
    out = io.StringIO()
    show_estimate(Console(file=out, width=100), images())
    assert "samples per accelerator" in out.getvalue()
    assert "token" not in out.getvalue()


def test_a_sweep_tells_of_how_many_trials_its_time_is():
    trials = {"kind": "sweep", "sweep": {"trials": 4, "concurrent": 2}}
    text = text_of(run(images(**trials), num_processes=1))
    assert re.search(r"% of [^-]* of 4 trials went into", text)
    assert "of each trial, 2 of 4 at a time" in " ".join(text.split())


def test_the_verdict_names_effective_training_time_where_steps_were_stretched():
    topology = {"policy": "leaf_spine", "hosts_per_leaf": 2, "oversubscription": 16}
    narrow = {"cluster__fabric": {"topology": topology}, "training__pretrain__tokens": 2e8}
    alone = {"jobs": None, "reliability": None, "duration": None, "training__pretrain__sharding": "full"}
    text = text_of(run(small_cluster(**narrow, **alone), num_processes=1))
    assert "(effective training time)" in text
    assert "(effective training time)" not in text_of(run(images(), num_processes=1))
