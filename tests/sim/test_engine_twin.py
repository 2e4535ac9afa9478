"""The engine that jumps, the engine that steps and a naive twin agree on every request."""

from __future__ import annotations

from dataclasses import replace
from math import pi, sqrt

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.sim.drive import Run, drive, drive_twin
from tests.sim.timers import AffineTimer, PiecewiseTimer
from tests.sim.twin import Arrival, Timer, Twin, TwinOptions

# Arrivals and deadlines are multiples of irrational times, so that none coincides with the end of a step.
TICK_S, TIMEOUT_TICK_S = pi / 500, sqrt(2) / 7
COUNTS = ("status", "num_generated_tokens", "num_cached_tokens", "num_preemptions")
INSTANTS = ("scheduled_at_s", "first_token_at_s", "finished_at_s")
TIMERS = st.sampled_from([AffineTimer(), PiecewiseTimer(), PiecewiseTimer(piece_tokens=7)])
QUICK = settings(max_examples=120, deadline=None, derandomize=True, database=None)
DEEP = settings(QUICK, max_examples=6000, suppress_health_check=list(HealthCheck))


@st.composite
def options(draw: st.DrawFn) -> TwinOptions:
    max_num_seqs = draw(st.integers(1, 8))
    return TwinOptions(
        scheduler=draw(st.sampled_from(["chunked_prefill", "sarathi", "prefill_first"])),
        max_num_seqs=max_num_seqs,
        max_num_batched_tokens=max_num_seqs + draw(st.integers(0, 60)),
        num_blocks=draw(st.integers(4, 60)),
        block_size=draw(st.sampled_from([1, 3, 8, 16])),
        num_watermark_blocks=draw(st.integers(0, 3)),
        max_model_len=draw(st.sampled_from([1 << 40, 90])),
        overhead_s=draw(st.sampled_from([0.0, 0.0123])),
    )


@st.composite
def arrivals(draw: st.DrawFn, most: int = 14) -> list[Arrival]:
    sizes = st.tuples(
        st.sampled_from([0, 0, 1, 2, 5, 20, 100]),
        st.one_of(st.integers(1, 30), st.integers(1, 120)),
        st.one_of(st.integers(1, 10), st.integers(1, 100)),
        st.integers(-1, 2),
    )
    now, result = 0, []
    for gap, prompt, output, prefix in draw(st.lists(sizes, min_size=1, max_size=most)):
        now += gap
        result.append(Arrival(now * TICK_S, prompt, output, prefix))
    return result


@st.composite
def prefix_options(draw: st.DrawFn) -> TwinOptions:
    return replace(draw(options()), num_prefix_tokens=draw(st.integers(1, 70)))


@st.composite
def impatient_options(draw: st.DrawFn) -> TwinOptions:
    timeout = draw(st.one_of(st.none(), st.integers(1, 20)))
    return replace(
        draw(st.one_of(options(), prefix_options())),
        timeout_s=None if timeout is None else timeout * TIMEOUT_TICK_S,
        max_queue=draw(st.one_of(st.none(), st.integers(1, 5))),
    )


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


def check(options: TwinOptions, timer: Timer, arrivals: list[Arrival]) -> None:
    truth, twin = drive_twin(options, timer, arrivals)
    jumping, stepping = (drive(options, timer, arrivals, is_stepwise=s) for s in (False, True))
    event(f"{options.scheduler}, preempted: {truth.num_preemptions.any()}")
    assert_same(stepping, truth)
    assert_same(jumping, truth)
    assert_same_work(stepping, twin)
    assert_same_work(jumping, twin)


@QUICK
@given(options(), TIMERS, arrivals())
def test_engine_equals_its_twin_under_tight_memory(
    options: TwinOptions, timer: Timer, arrivals: list[Arrival]
) -> None:
    check(options, timer, arrivals)


@QUICK
@given(prefix_options(), TIMERS, arrivals())
def test_engine_equals_its_twin_with_a_prefix_cache(
    options: TwinOptions, timer: Timer, arrivals: list[Arrival]
) -> None:
    check(options, timer, arrivals)


@QUICK
@given(impatient_options(), TIMERS, arrivals())
def test_engine_equals_its_twin_with_timeouts_and_queue_caps(
    options: TwinOptions, timer: Timer, arrivals: list[Arrival]
) -> None:
    check(options, timer, arrivals)


@pytest.mark.slow
@DEEP
@given(st.one_of(options(), prefix_options(), impatient_options()), TIMERS, arrivals(most=30))
def test_engine_equals_its_twin_on_many_more_workloads(
    options: TwinOptions, timer: Timer, arrivals: list[Arrival]
) -> None:
    check(options, timer, arrivals)
