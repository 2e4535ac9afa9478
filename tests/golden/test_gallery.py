"""Every scenario of the gallery gives what it gave before, and asks one question."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import dcsim

FOLDER = Path(__file__).resolve().parent
SCENARIOS = sorted((FOLDER.parent.parent / "scenarios").glob("*.yaml"))
RELATIVE_TOLERANCE = 1e-5

_spec = importlib.util.spec_from_file_location("golden_regenerate", FOLDER / "regenerate.py")
assert _spec is not None
assert _spec.loader is not None
regenerate = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(regenerate)


def leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}".lstrip("."))
    else:
        yield path, value


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda file: file.stem)
def test_a_scenario_gives_its_golden_summary(scenario: Path) -> None:
    """Remedy, if the change is meant: python tests/golden/regenerate.py, and say in the commit why."""
    golden = dict(leaves(json.loads((FOLDER / f"{scenario.stem}.json").read_text(encoding="utf-8"))))
    found = dict(leaves(json.loads(json.dumps(regenerate.golden_summary(scenario)))))
    assert found.keys() == golden.keys()
    moved = {path: (golden[path], found[path]) for path in golden if not is_close(golden[path], found[path])}
    assert not moved


def is_close(expected: object, found: object) -> bool:
    if isinstance(expected, float) and isinstance(found, int | float):
        return found == pytest.approx(expected, rel=RELATIVE_TOLERANCE)
    return expected == found


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda file: file.stem)
def test_a_scenario_asks_one_question_in_its_first_line(scenario: Path) -> None:
    first = scenario.read_text(encoding="utf-8").splitlines()[0]
    question = dcsim.load(scenario).question
    assert question.endswith("?")
    assert question.count("?") == 1
    assert first == f"# {question}"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda file: file.stem)
def test_a_scenario_is_named_like_its_file(scenario: Path) -> None:
    assert dcsim.load(scenario).name == scenario.stem


def test_the_gallery_has_a_golden_file_for_every_scenario_and_no_other() -> None:
    assert {file.stem for file in SCENARIOS} == {file.stem for file in FOLDER.glob("*.json")}
