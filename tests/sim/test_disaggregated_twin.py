"""Disaggregated fleets that jump, that step and their naive twin agree on every request and transfer."""

from __future__ import annotations

from dataclasses import replace
from math import e, sqrt

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.sim.disaggregated import Pair, assert_pair_agrees
from tests.sim.test_engine_twin import TIMEOUT_TICK_S, arrivals
from tests.sim.timers import AffineTimer, PiecewiseTimer
from tests.sim.twin import Arrival, TwinOptions

# the two pools differ in every time, so that none of their steps ends with another's
PREFILL_TIMER = AffineTimer(launch_s=e / 400, token_s=1e-5 * sqrt(3), pair_s=1e-7 * sqrt(7))


class SteepTimer(PiecewiseTimer):
    """Every piece rises, or else transfers of one length would end with steps of one length."""

    def _slope_s(self, piece: int) -> float:
        return self.affine.context_s * (piece * 3 % 4 + 1)


DECODE_TIMERS = st.sampled_from([AffineTimer(), SteepTimer(), SteepTimer(piece_tokens=7)])
LATENCIES_S = st.sampled_from([0.0, 1e-3 / sqrt(2), 0.05 * sqrt(5)])
PER_TOKEN_S = st.sampled_from([0.0, 1e-5 * sqrt(11), 1e-3 * sqrt(13)])
APART_S = 1e-6 * sqrt(17)
Case = tuple[Pair, list[Arrival]]


@st.composite
def pool(draw: st.DrawFn, longest: int) -> TwinOptions:
    """A pool with memory for the longest of its requests and a little more."""
    block_size, max_num_seqs = draw(st.sampled_from([1, 3, 8, 16])), draw(st.integers(1, 10))
    return TwinOptions(
        scheduler=draw(st.sampled_from(["chunked_prefill", "sarathi", "prefill_first"])),
        max_num_seqs=max_num_seqs,
        max_num_batched_tokens=max_num_seqs + draw(st.integers(0, 60)),
        num_blocks=max(-(-longest // block_size) + draw(st.integers(-1, 6)), 1),
        block_size=block_size,
        num_watermark_blocks=draw(st.integers(0, 3)),
        overhead_s=draw(st.sampled_from([0.0, 0.0123])),
        is_asynchronous=draw(st.booleans()),
    )


@st.composite
def cases(draw: st.DrawFn, most: int = 14) -> Case:
    requests = draw(arrivals(most))
    prefill = draw(pool(max(one.num_prompt_tokens for one in requests)))
    decode = draw(pool(max(one.num_prompt_tokens + one.num_output_tokens - 1 for one in requests)))
    timeout_s = draw(st.one_of(st.none(), st.integers(1, 20).map(lambda ticks: ticks * TIMEOUT_TICK_S)))
    prefix = draw(st.sampled_from([0, 0, 20]))
    prefill = replace(
        prefill,
        timeout_s=timeout_s,
        num_prefix_tokens=prefix,
        max_queue=draw(st.sampled_from([None, None, 2])),
        admission_wait=draw(st.sampled_from([0, 0, 3])),
    )
    decode = replace(decode, timeout_s=timeout_s, overhead_s=prefill.overhead_s)
    sizes = draw(st.sampled_from([(1, 1), (2, 1), (1, 2), (3, 2)]))
    if sizes[0] > 1:  # engines that begin at one instant would end at one, and nothing says which is first
        requests = [one._replace(arrived_at_s=one[0] + i * APART_S) for i, one in enumerate(requests)]
    timers = PREFILL_TIMER, draw(DECODE_TIMERS)
    pair = Pair(prefill, decode, timers, sizes, draw(LATENCIES_S), draw(PER_TOKEN_S), jitter_s=1e-5)
    return pair, requests


@settings(max_examples=300)
@given(cases())
def test_a_disaggregated_fleet_equals_its_twin(case: Case) -> None:
    tables = assert_pair_agrees(*case)
    event(f"preempted: {tables.requests['num_preemptions'].any()}")


@pytest.mark.slow
@settings(max_examples=3000, suppress_health_check=list(HealthCheck))
@given(cases(30))
def test_a_disaggregated_fleet_equals_its_twin_on_many_more_workloads(case: Case) -> None:
    assert_pair_agrees(*case)
