"""Form and text are one scenario: what one writes the other shows, and comments stay."""

from __future__ import annotations

from pathlib import Path

import pytest

import dcsim
from dcsim.app.draft import Draft

GALLERY = dcsim.gallery()


@pytest.fixture
def draft(tmp_path: Path) -> Draft:
    return Draft(GALLERY["azure-conv"].read_text(encoding="utf-8"), "azure-conv", tmp_path)


@pytest.mark.parametrize("name", sorted(GALLERY))
def test_the_gallery_can_run_as_it_is(name: str, tmp_path: Path) -> None:
    checked = Draft(GALLERY[name].read_text(encoding="utf-8"), name, tmp_path).checked()
    assert checked.can_run
    scenario = checked.scenario
    assert scenario is not None
    has_closed_form = bool(scenario.serving) and name != "disaggregated"
    assert (checked.forecast is not None) == has_closed_form
    assert set(checked.training) == set(scenario.training)


def test_a_field_set_by_the_form_stands_in_the_text(draft: Draft) -> None:
    draft.put(("serving", "chat", "num_replicas"), 1)
    draft.put(("serving", "chat", "parallelism", "tensor"), 8)
    scenario = draft.checked().scenario
    assert scenario is not None
    assert scenario.serving["chat"].num_replicas == 1
    assert scenario.serving["chat"].parallelism.tensor == 8


def test_comments_and_order_stay(draft: Draft) -> None:
    before = draft.text.splitlines()
    draft.put(("cluster", "num_nodes"), 3)
    after = draft.text.splitlines()
    assert [line for line in before if line.startswith("#")] == [x for x in after if x.startswith("#")]
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert changed == [("  num_nodes: 1", "  num_nodes: 3")]


def test_none_takes_a_field_away(draft: Draft) -> None:
    draft.put(("serving", "chat", "slo", "ttft"), None)
    scenario = draft.checked().scenario
    assert scenario is not None
    assert scenario.serving["chat"].slo.ttft_s is None


def test_an_option_of_a_policy_keeps_its_name(draft: Draft) -> None:
    draft.put(("serving", "chat", "scheduler"), "chunked_prefill")
    draft.put(("serving", "chat", "scheduler", "max_num_seqs"), 64)
    scenario = draft.checked().scenario
    assert scenario is not None
    assert scenario.serving["chat"].scheduler.max_num_seqs == 64  # type: ignore[union-attr]


def test_either_side_tells_the_other_that_it_changed(draft: Draft) -> None:
    draft.write(draft.text.replace("num_replicas: 2", "num_replicas: 1"))
    assert (draft.form_version, draft.editor_version) == (1, 0)
    draft.put(("seed",), 7)
    assert (draft.form_version, draft.editor_version) == (1, 1)


def test_every_problem_has_its_line(draft: Draft) -> None:
    draft.write(draft.text.replace("dgx-h100", "dgx-h1000").replace("num_replicas: 2", "num_replicas: two"))
    lines = draft.text.splitlines()
    marked = {lines[one.line - 1].strip() for one in draft.checked().problems if one.line is not None}
    assert marked == {"node: dgx-h1000", "num_replicas: two"}


def test_what_cannot_be_is_no_error_but_an_answer(draft: Draft) -> None:
    draft.put(("serving", "chat", "num_replicas"), 3)
    checked = draft.checked()
    assert checked.scenario is not None
    assert not checked.can_run
    assert "12 accelerators" in checked.infeasible


def test_a_text_that_is_no_yaml_leaves_the_form_alone(draft: Draft) -> None:
    draft.write("serving: [")
    assert draft.document() is None
    draft.put(("seed",), 7)
    assert draft.text == "serving: ["


def test_no_file_outside_of_the_folder_is_read(draft: Draft) -> None:
    draft.put(("serving", "chat", "traffic"), {"trace": "/etc/passwd"})
    (problem,) = draft.checked().problems
    assert problem.path == "serving.chat.traffic.trace"


def test_an_option_of_a_trace_alone_keeps_its_file(draft: Draft) -> None:
    draft.put(("serving", "chat", "traffic"), {"trace": "mine.csv"})
    draft.put(("serving", "chat", "traffic", "trace", "rate_scale"), 2)
    assert "trace: {path: mine.csv, rate_scale: 2}" in draft.text


def test_an_option_over_a_preset_keeps_the_preset(draft: Draft) -> None:
    draft.put(("serving", "chat", "traffic", "num_requests"), 50)
    scenario = draft.checked().scenario
    assert scenario is not None
    assert scenario.serving["chat"].traffic.num_requests == 50
    assert "base: azure-conv-2023" in draft.text


def test_changes_are_taken_back_one_by_one(draft: Draft) -> None:
    first = draft.text
    draft.put(("seed",), 2)
    draft.write(draft.text.replace("seed: 2", "seed: 3"))
    draft.undo()
    assert "seed: 2" in draft.text
    draft.undo()
    draft.undo()
    assert draft.text == first
