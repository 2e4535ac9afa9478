"""The uncertainty that software entries state is that of the published steps that nothing was fitted on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.accuracy.training_prediction import Prediction
from benchmarks.accuracy.training_rows import read_rows
from benchmarks.accuracy.training_sets import all_cases
from benchmarks.accuracy.training_uncertainty import MIN_ROWS, class_of, held_out, spread
from dcsim.catalog.loader import entry_names, load_entry
from dcsim.catalog.software import Software, StepClass
from dcsim.study.training_resampling import STEP

SHARED = Path(os.environ.get("DCSIM_SHARED", Path(__file__).parents[2].parent / "shared"))
STEPS = SHARED / "truth" / "training.csv"
REL = 0.15  # of a spread: formulas may improve a little without a new statement

pytestmark = pytest.mark.skipif(not STEPS.exists(), reason=f"no table of published steps at {STEPS}")


@pytest.fixture(scope="module")
def found() -> list[Prediction]:
    return list(held_out(all_cases(list(read_rows(STEPS)))))


def errors(found: list[Prediction], kind: StepClass, software: str | None = None) -> list[float]:
    return [
        one.log_error for one in found if class_of(one) is kind and software in (None, one.case.framework)
    ]


@pytest.mark.parametrize("name", entry_names("software"))
def test_an_entry_states_the_spread_of_the_classes_that_were_measured(found, name: str):
    entry = load_entry("software", name)
    assert isinstance(entry, Software)
    measured = {kind: errors(found, kind, name) for kind in StepClass}
    enough = {kind: spread(one) for kind, one in measured.items() if len(one) >= MIN_ROWS}
    assert entry.uncertainty == pytest.approx(enough, rel=REL)


@pytest.mark.parametrize("kind", StepClass)
def test_software_without_a_statement_gets_that_of_all(found, kind: StepClass):
    assert STEP[kind] == pytest.approx(spread(errors(found, kind)), rel=REL)


@pytest.mark.parametrize("kind", StepClass)
def test_intervals_of_the_stated_width_hold_about_as_many_steps_as_they_say(found, kind: StepClass):
    stated = {name: load_entry("software", name).uncertainty for name in entry_names("software")}
    held = [
        abs(one.log_error) <= 1.96 * stated[one.case.framework].get(kind, STEP[kind])
        for one in found
        if class_of(one) is kind
    ]
    assert sum(held) / len(held) == pytest.approx(0.95, abs=0.04)
