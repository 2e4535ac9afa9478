"""Disaggregated prefill: what goes in comes out, limits that a hand can work out, and queueing theory."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.formulas.queueing import mg1_mean_wait_s
from dcsim.tables import RequestStatus, ServingTables
from tests.sim.disaggregated import Pair, bytes_of_a_token, run_pair
from tests.sim.drive import drive
from tests.sim.timers import AffineTimer
from tests.sim.twin import Arrival, TwinOptions
from tests.truth.intervals import assert_mean_is
from tests.truth.timers import ConstantTimer

ROOMY = TwinOptions(
    scheduler="chunked_prefill", max_num_seqs=64, max_num_batched_tokens=512, num_blocks=4000, block_size=8
)
TIGHT = TwinOptions(
    scheduler="chunked_prefill", max_num_seqs=16, max_num_batched_tokens=128, num_blocks=40, block_size=8
)
SLOW_TIMER = AffineTimer(launch_s=0.0123)


def arrivals(num: int = 300, rate_per_s: float = 20.0) -> list[Arrival]:
    rng = np.random.default_rng(7)
    at = np.cumsum(rng.exponential(1 / rate_per_s, num)).tolist()
    prompts, outputs = rng.integers(1, 120, num), rng.integers(1, 90, num)
    return [Arrival(t, int(p), int(n)) for t, p, n in zip(at, prompts, outputs, strict=True)]


@pytest.fixture(scope="module", params=["chunked_prefill", "sarathi", "prefill_first"])
def overloaded(request: pytest.FixtureRequest) -> ServingTables:
    """Too few blocks on the side that decodes: requests wait there, and many are preempted."""
    decode = TwinOptions(
        scheduler=request.param, max_num_seqs=16, max_num_batched_tokens=128, num_blocks=40, block_size=8
    )
    pair = Pair(TIGHT, decode, (SLOW_TIMER, AffineTimer()), (2, 2), latency_s=1e-3, token_s=1e-5)
    return run_pair(pair, arrivals())


def test_every_request_finishes_although_blocks_are_short(overloaded: ServingTables) -> None:
    assert overloaded.requests["num_preemptions"].sum() > 50
    assert set(overloaded.requests["status"]) == {RequestStatus.FINISHED}


def test_sampled_and_computed_tokens_are_those_asked_for_and_those_lost(overloaded: ServingTables) -> None:
    steps, asked = overloaded.steps, arrivals()
    sampled = (steps["num_sampled"] * steps["num_steps"]).sum()
    assert sampled == sum(one.num_output_tokens for one in asked)
    computed = steps["num_prefill_tokens"].sum() + (steps["num_decodes"] * steps["num_steps"]).sum()
    whole = sum(one.num_prompt_tokens + one.num_output_tokens - 1 for one in asked)
    assert computed == whole + overloaded.preemptions["num_lost_tokens"].sum()


def test_the_bytes_sent_are_those_of_the_prompts_that_go_on(overloaded: ServingTables) -> None:
    going_on = [one.num_prompt_tokens for one in arrivals() if one.num_output_tokens > 1]
    sent = overloaded.kv_transfers
    assert len(sent["num_bytes"]) == len(set(sent["request"])) == len(going_on)
    assert sent["num_bytes"].sum() == pytest.approx(sum(going_on) * bytes_of_a_token(), rel=1e-12)


def test_blocks_never_exceed_the_memory_of_either_side(overloaded: ServingTables) -> None:
    assert overloaded.steps["num_used_blocks"].max() <= TIGHT.num_blocks


def test_a_request_is_computed_sent_and_decoded_in_this_order(overloaded: ServingTables) -> None:
    requests, sent = overloaded.requests, overloaded.kv_transfers
    of = sent["request"]
    np.testing.assert_array_equal(sent["prefilled_at_s"], requests["first_token_at_s"][of])
    assert (sent["started_at_s"] >= sent["prefilled_at_s"]).all()
    np.testing.assert_allclose(
        sent["ended_at_s"] - sent["started_at_s"], 1e-3 + 1e-5 * requests["num_prompt_tokens"][of], rtol=1e-6
    )
    assert (sent["decoding_at_s"] >= sent["ended_at_s"]).all()
    assert (requests["finished_at_s"][of] > sent["decoding_at_s"]).all()
    assert (sent["from_engine"] >= 2).all()
    assert (sent["to_engine"] < 2).all()


def test_requests_with_one_token_are_not_sent() -> None:
    pair = Pair(ROOMY, ROOMY, (SLOW_TIMER, AffineTimer()))
    tables = run_pair(pair, [Arrival(0.0, 50, 1), Arrival(3.0, 50, 2)])
    assert list(tables.kv_transfers["request"]) == [1]
    assert list(tables.requests["engine"]) == [1, 0]
    assert list(tables.requests["prefill_engine"]) == [-1, 1]


@pytest.mark.parametrize("prompt", [100, 600, 2000])
def test_alone_and_sent_in_no_time_a_request_takes_as_long_as_on_one_replica(prompt: int) -> None:
    asked = [Arrival(0.0, prompt, 80)]
    together = drive(ROOMY, AffineTimer(), asked)
    apart = run_pair(Pair(ROOMY, ROOMY, (AffineTimer(), AffineTimer())), asked)
    assert apart.requests["first_token_at_s"][0] == pytest.approx(together.first_token_at_s[0], rel=1e-12)
    assert apart.requests["finished_at_s"][0] == pytest.approx(together.finished_at_s[0], rel=1e-12)


def test_alone_a_request_takes_its_prompt_its_transfer_and_its_decode_steps() -> None:
    asked = [Arrival(0.0, 300, 80)]
    prompt = drive(ROOMY, SLOW_TIMER, [Arrival(0.0, 300, 1)])
    together = drive(ROOMY, AffineTimer(), asked)
    decode_s = together.finished_at_s[0] - together.first_token_at_s[0]
    apart = run_pair(Pair(ROOMY, ROOMY, (SLOW_TIMER, AffineTimer()), latency_s=0.5, token_s=1e-3), asked)
    expected_s = prompt.finished_at_s[0] + (0.5 + 300 * 1e-3) + decode_s
    assert apart.requests["finished_at_s"][0] == pytest.approx(expected_s, rel=1e-12)


def test_a_prefill_replica_that_takes_one_prompt_at_a_time_is_an_md1_queue() -> None:
    rho, step_s, num, num_warmup = 0.5, 0.1, 6000, 500
    single = TwinOptions(
        scheduler="prefill_first", max_num_seqs=1, max_num_batched_tokens=64, num_blocks=10_000, block_size=8
    )
    pair = Pair(single, ROOMY, (ConstantTimer(step_s), ConstantTimer(1e-4)))
    means = []
    for seed in range(8):
        at = np.cumsum(np.random.default_rng([seed, 5]).exponential(step_s / rho, num))
        tables = run_pair(pair, [Arrival(float(one), 64, 2) for one in at])
        means.append(float(np.mean((tables.requests["scheduled_at_s"] - at)[num_warmup:])))
    assert_mean_is(mg1_mean_wait_s(rho / step_s, step_s, service_cv=0.0), means, tightness=0.1)


def test_blocks_of_prompts_are_held_until_their_caches_have_arrived() -> None:
    """A prefill replica with room for one prompt begins the next when the first is gone."""
    one_prompt = TwinOptions(
        scheduler="sarathi", max_num_seqs=8, max_num_batched_tokens=512, num_blocks=10, block_size=8
    )
    pair = Pair(one_prompt, ROOMY, (AffineTimer(), AffineTimer()), latency_s=0.7)
    tables = run_pair(pair, [Arrival(0.0, 80, 5), Arrival(0.0, 80, 5)])
    assert tables.requests["scheduled_at_s"][1] == pytest.approx(tables.kv_transfers["ended_at_s"][0])


def test_a_request_waits_for_room_where_it_is_to_decode() -> None:
    """With room for one sequence at a time, the second transfer begins when the first has finished."""
    single = TwinOptions(
        scheduler="chunked_prefill", max_num_seqs=1, max_num_batched_tokens=512, num_blocks=100, block_size=8
    )
    pair = Pair(ROOMY, single, (AffineTimer(), AffineTimer()), latency_s=0.1)
    tables = run_pair(pair, [Arrival(0.0, 80, 50), Arrival(0.0, 80, 50)])
    assert tables.kv_transfers["started_at_s"][1] == pytest.approx(tables.requests["finished_at_s"][0])
