"""When a busy engine lets in new requests: intervals between looks, and waits for company."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.sim.drive import drive
from tests.sim.timers import AffineTimer
from tests.sim.twin import Arrival, TwinOptions

TIMER = AffineTimer(launch_s=1.0, token_s=0.0, context_s=0.0, pair_s=0.0)  # every step takes a second
OPTIONS = TwinOptions(
    scheduler="prefill_first", max_num_seqs=8, max_num_batched_tokens=64, num_blocks=1000, block_size=16
)
LONG = Arrival(0.0, 4, 200)  # its prompt takes the first second, then it decodes


@pytest.mark.parametrize("arrived_at_s", [1.5, 4.2, 10.9, 11.0])
def test_requests_are_seen_at_every_nth_decode_step(arrived_at_s: float) -> None:
    run = drive(replace(OPTIONS, admission_interval=10), TIMER, [LONG, Arrival(arrived_at_s, 4, 3)])
    assert run.first_token_at_s[1] == pytest.approx(11.0 + 1.0)  # ten decode steps after the first prompt


def test_a_step_with_prompts_makes_the_next_look_due() -> None:
    late = [LONG, Arrival(10.5, 4, 3), Arrival(11.5, 4, 3)]
    run = drive(replace(OPTIONS, admission_interval=10), TIMER, late)
    assert run.first_token_at_s[1] == pytest.approx(12.0)
    assert run.first_token_at_s[2] == pytest.approx(13.0)


def test_a_request_waits_for_company() -> None:
    run = drive(replace(OPTIONS, admission_wait=20), TIMER, [LONG, Arrival(3.5, 4, 3), Arrival(9.5, 4, 3)])
    assert run.first_token_at_s[1:] == pytest.approx([25.0, 25.0])  # seen at 4, let in at 24


def test_a_request_held_back_begins_when_the_last_one_that_ran_has_given_up() -> None:
    options = replace(OPTIONS, admission_wait=20, timeout_s=6.5)
    run = drive(options, TIMER, [LONG, Arrival(5.5, 4, 3)])
    assert run.scheduled_at_s[1] == pytest.approx(7.0)  # the step under way at 6.5 ends then


def test_an_idle_engine_lets_a_request_in_at_once() -> None:
    for options in (replace(OPTIONS, admission_wait=20), replace(OPTIONS, admission_interval=10)):
        run = drive(options, TIMER, [Arrival(3.5, 4, 3)])
        assert run.first_token_at_s[0] == pytest.approx(4.5)
