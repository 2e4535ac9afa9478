"""What goes in comes out: requests, tokens, time and KV blocks, also when requests are preempted."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.tables import RequestStatus
from tests.sim.drive import Run, drive
from tests.sim.timers import AffineTimer
from tests.sim.twin import Arrival, TwinOptions

SCHEDULERS = ("chunked_prefill", "sarathi", "prefill_first")
NUM_REQUESTS = 300
LAST = Arrival(1e4, 200, 121)  # long after all others, and as large as 40 blocks of 8 tokens


def arrivals(rate_per_s: float) -> list[Arrival]:
    rng = np.random.default_rng(7)
    at = np.cumsum(rng.exponential(1 / rate_per_s, NUM_REQUESTS)).tolist()
    prompts, outputs = rng.integers(1, 120, NUM_REQUESTS), rng.integers(1, 90, NUM_REQUESTS)
    return [Arrival(t, int(p), int(n)) for t, p, n in zip(at, prompts, outputs, strict=True)] + [LAST]


def overloaded(scheduler: str) -> Run:
    """Too many requests for too few blocks: many are preempted, all finish in the end."""
    options = TwinOptions(
        scheduler=scheduler, max_num_seqs=16, max_num_batched_tokens=128,
        num_blocks=40, block_size=8,
    )  # fmt: skip
    return drive(options, AffineTimer(), arrivals(rate_per_s=20.0))


@pytest.fixture(params=SCHEDULERS)
def run(request: pytest.FixtureRequest) -> Run:
    return overloaded(request.param)


def test_every_request_finishes_although_many_are_preempted(run: Run) -> None:
    assert run.num_preemptions.sum() > 50
    assert set(run.status) == {RequestStatus.FINISHED}
    assert (run.num_generated_tokens == [a.num_output_tokens for a in arrivals(20.0)]).all()


def test_sampled_tokens_are_the_output_tokens_asked_for(run: Run) -> None:
    sampled = run.steps["num_sampled"] * run.steps["num_steps"]
    assert sampled.sum() == sum(a.num_output_tokens for a in arrivals(20.0))


def test_computed_tokens_are_those_of_the_requests_and_those_lost_to_preemption(run: Run) -> None:
    computed = (
        run.steps["num_prefill_tokens"].sum() + (run.steps["num_decodes"] * run.steps["num_steps"]).sum()
    )
    asked = sum(a.num_prompt_tokens + a.num_output_tokens - 1 for a in arrivals(20.0))
    assert computed == asked + run.preemptions["num_lost_tokens"].sum()
    assert len(run.preemptions["request"]) == run.num_preemptions.sum()


def test_blocks_never_exceed_the_memory(run: Run) -> None:
    used = run.steps["num_used_blocks"]
    assert used.min() >= 0
    assert 35 < used.max() <= 40


def test_all_blocks_come_back_so_that_one_request_can_take_them_all(run: Run) -> None:
    assert arrivals(20.0)[-1] == LAST
    assert run.num_preemptions[-1] == 0
    assert run.steps["num_used_blocks"][-1] == 40


def test_the_engine_is_idle_only_while_it_holds_no_request(run: Run) -> None:
    started, ended = run.steps["started_at_s"], run.steps["started_at_s"] + run.steps["duration_s"]
    arrived = np.array([a.arrived_at_s for a in arrivals(20.0)])
    gaps = np.flatnonzero(started[1:] > ended[:-1] + 1e-9)
    for gap in gaps:
        held = (arrived < started[gap + 1] - 1e-9) & (run.finished_at_s > ended[gap] + 1e-9)
        assert not held.any()
    assert (started[1:] >= ended[:-1] - 1e-9).all()


def roomy(scheduler: str) -> Run:
    """Blocks for all, so that nobody is preempted, and more requests than sequence slots."""
    options = TwinOptions(
        scheduler=scheduler, max_num_seqs=6, max_num_batched_tokens=256, num_blocks=4000, block_size=8
    )
    run = drive(options, AffineTimer(), arrivals(rate_per_s=20.0))
    assert run.num_preemptions.sum() == 0
    return run


def sequence_seconds(run: Run) -> tuple[float, float]:
    """Time in the batch, as the steps see it and as the requests do."""
    in_step = run.steps["num_decodes"] + run.steps["num_prefill_chunks"]
    per_step = float((in_step * run.steps["duration_s"]).sum())
    return per_step, float((run.finished_at_s - run.scheduled_at_s).sum())


@pytest.mark.parametrize("scheduler", ["chunked_prefill", "sarathi"])
def test_littles_law_holds_for_the_sequences_in_the_batch(scheduler: str) -> None:
    """L T = lambda T W: every running sequence takes part in every step of these schedulers."""
    per_step, per_request = sequence_seconds(roomy(scheduler))
    assert per_step == pytest.approx(per_request, rel=1e-9)


def test_prefill_first_stalls_running_sequences_so_they_stay_longer_than_they_are_served() -> None:
    per_step, per_request = sequence_seconds(roomy("prefill_first"))
    assert per_step < 0.99 * per_request


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_littles_law_holds_for_the_queue(scheduler: str) -> None:
    """L T = lambda T W; a request is seen in the queue from the first row that starts after its arrival."""
    run = roomy(scheduler)
    started = run.steps["started_at_s"]
    arrived = np.array([a.arrived_at_s for a in arrivals(20.0)])
    seen_at = started[np.searchsorted(started, arrived)]
    per_step = (run.steps["num_waiting"] * run.steps["duration_s"]).sum()
    assert per_step == pytest.approx((run.scheduled_at_s - seen_at).sum(), rel=1e-9)
    assert run.steps["num_waiting"].max() > 10
