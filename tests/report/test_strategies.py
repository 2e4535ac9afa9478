"""The plans of a training job, as a table and as a document."""

import io

from rich.console import Console

from dcsim.report.strategies import ranking_document, show_ranking
from dcsim.study.strategy import rank_strategies
from tests.study.scenarios_for_tests import small_cluster


def test_plans_come_fastest_first_with_what_to_set():
    ranking = rank_strategies(small_cluster(), "pretrain", limit=3)
    out = io.StringIO()
    show_ranking(Console(file=out, width=110), "pretrain", ranking)
    text = out.getvalue()
    assert text.startswith("pretrain: ")
    assert "#1" in text
    assert "#4" not in text
    assert "--set training.pretrain.parallelism.tensor=" in text


def test_the_document_says_all_of_it():
    ranking = rank_strategies(small_cluster(), "pretrain", limit=3)
    document = ranking_document(ranking)
    steps_s = [one["step_s"] for one in document["strategies"]]
    assert steps_s == sorted(steps_s)
    assert len(steps_s) == 3
    assert all(0 < one["memory_frac"] <= 1 for one in document["strategies"])
