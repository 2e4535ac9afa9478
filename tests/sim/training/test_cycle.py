"""The closed form of steps and checkpoints against walking through them one by one."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.sim.training.cycle import Cycle, Place


def walked(cycle: Cycle, start: Place, elapsed_s: float) -> tuple[Place, int, float]:
    """The place, the number of checkpoints and the position of the last one, step by step."""
    position, stall_s, left_s, num_saves, saved = start.position, start.stall_left_s, elapsed_s, 0, math.nan
    while True:
        if stall_s > 0:
            if left_s < stall_s:
                return Place(position, stall_s - left_s), num_saves, saved
            left_s, stall_s, num_saves, saved = left_s - stall_s, 0.0, num_saves + 1, position
        if position >= cycle.last_position:
            return Place(position), num_saves, saved
        part = min(1.0 - position % 1.0, cycle.last_position - position)
        if left_s < part * cycle.step_s:
            return Place(position + left_s / cycle.step_s), num_saves, saved
        left_s, position = left_s - part * cycle.step_s, position + part
        is_due = cycle.has_saves and position % cycle.steps_per_save == 0
        if is_due or (cycle.has_saves and position == cycle.last_position):
            stall_s = cycle.stall_s


cycles = st.builds(
    Cycle,
    step_s=st.sampled_from([0.5, 1.0, 3.0]),
    stall_s=st.sampled_from([0.25, 2.0, 20.0]),
    steps_per_save=st.sampled_from([1.0, 7.0, 16.0, math.inf]),
    last_position=st.sampled_from([5.0, 40.0, 63.0, math.inf]),
)
quarters = st.integers(0, 800).map(lambda n: n / 4)  # exact in binary: the two ways may not differ at all


@given(cycles, st.integers(0, 5), st.sampled_from([0.0, 0.25]), quarters)
def test_the_closed_form_ends_where_walking_does(
    cycle: Cycle, first: int, stall_left_s: float, elapsed_s: float
) -> None:
    start = Place(float(first), stall_left_s if cycle.has_saves else 0.0)
    place, num_saves, saved = walked(cycle, start, elapsed_s)
    found = cycle.advance(start, elapsed_s)
    assert found.place.position == pytest.approx(place.position)
    assert found.place.stall_left_s == pytest.approx(place.stall_left_s)
    if cycle.has_saves:
        assert found.num_saves == num_saves
        assert found.saved_position == pytest.approx(saved, nan_ok=True)


@given(cycles, st.integers(0, 5), quarters, quarters)
def test_two_stretches_are_one(cycle: Cycle, first: int, one_s: float, other_s: float) -> None:
    start = Place(float(first))
    middle = cycle.advance(start, one_s)
    end = cycle.advance(middle.place, other_s)
    whole = cycle.advance(start, one_s + other_s)
    assert end.place.position == pytest.approx(whole.place.position)
    assert end.place.stall_left_s == pytest.approx(whole.place.stall_left_s, abs=1e-9)
    assert middle.num_saves + end.num_saves == whole.num_saves


@given(cycles.filter(lambda cycle: math.isfinite(cycle.last_position)), st.integers(0, 5))
def test_the_time_to_the_end_leads_to_the_end_and_not_beyond(cycle: Cycle, first: int) -> None:
    start = Place(float(first))
    time_s = cycle.time_to_end_s(start)
    assert cycle.advance(start, time_s).place == Place(cycle.last_position)
    if time_s > 0:
        assert cycle.advance(start, time_s * 0.999).place != Place(cycle.last_position)


def test_a_job_without_checkpoints_or_an_end_computes_for_ever() -> None:
    cycle = Cycle(2.0, 5.0, math.inf, math.inf)
    assert cycle.time_to_end_s(Place(0.0)) == math.inf
    assert cycle.advance(Place(0.0), 101.0).place.position == pytest.approx(50.5)
