"""What it means that an engine and its naive twin agree."""

from __future__ import annotations

import numpy as np
import pytest

from tests.sim.drive import Run, drive, drive_twin
from tests.sim.twin import Arrival, Timer, Twin, TwinOptions

Load = tuple[TwinOptions, list[Arrival]]
COUNTS = ("status", "num_generated_tokens", "num_cached_tokens", "num_preemptions")
INSTANTS = ("scheduled_at_s", "first_token_at_s", "finished_at_s")


def assert_same(run: Run, truth: Run) -> None:
    for name in COUNTS:
        np.testing.assert_array_equal(getattr(run, name), getattr(truth, name), err_msg=name)
    for name in INSTANTS:
        np.testing.assert_allclose(getattr(run, name), getattr(truth, name), rtol=1e-9, err_msg=name)


def assert_same_work(run: Run, twin: Twin) -> None:
    """Steps, tokens and busy time are those of the twin, however many steps a row of the engine holds."""
    steps = run.steps
    assert steps["num_steps"].sum() == len(twin.steps)
    assert (steps["num_decodes"] * steps["num_steps"]).sum() == sum(s.num_decodes for s in twin.steps)
    chunks = [size for s in twin.steps for size, _ in s.chunks]
    assert steps["num_prefill_tokens"].sum() == sum(chunks)
    assert steps["num_prefill_chunks"].sum() == len(chunks)
    assert run.preemptions["num_lost_tokens"].sum() == twin.num_lost_tokens
    assert steps["duration_s"].sum() == pytest.approx(sum(s.duration_s for s in twin.steps), rel=1e-9)


def assert_twins_agree(load: Load, timer: Timer) -> Run:
    """The jumping and the stepping engine do what the naive twin does; returns what that is."""
    truth, twin = drive_twin(load[0], timer, load[1])
    for is_stepwise in (True, False):
        run = drive(load[0], timer, load[1], is_stepwise=is_stepwise)
        assert_same(run, truth)
        assert_same_work(run, twin)
    return truth
