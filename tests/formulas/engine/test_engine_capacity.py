import numpy as np
import pytest

from dcsim.formulas.engine.capacity import Bound, engine_capacity, preemption_cost_s
from tests.formulas.engines import curve, mix, rules, spread_mix


def capacity(of, engine):
    return engine_capacity(curve(of, engine), of, engine)


def test_few_slots_bind_and_twice_as_many_give_more():
    of = spread_mix()
    few, more = (capacity(of, rules(max_num_seqs=count)) for count in (4, 8))
    assert few.bound is Bound.MAX_NUM_SEQS
    assert few.curve.num_running[-1] == pytest.approx(4.0)
    assert more.saturated_requests_per_s > 1.5 * few.saturated_requests_per_s


def test_a_small_cache_binds_and_preemptions_make_overload_slower():
    found = capacity(spread_mix(), rules(num_kv_tokens=4000))
    assert found.bound is Bound.KV_CACHE
    assert found.curve.held_tokens[-1] == pytest.approx(4000.0)
    assert found.saturated_requests_per_s < found.curve.requests_per_s[-1]


def test_where_more_sequences_would_not_help_the_step_time_binds():
    assert capacity(mix(prompt=2000.0, output=2.0), rules()).bound is Bound.STEP_TIME


def test_without_a_limit_in_reach_the_token_budget_ends_the_curve():
    found = capacity(mix(prompt=2000.0, output=2.0), rules(max_num_seqs=10_000, num_kv_tokens=10_000_000))
    assert found.bound is Bound.STEP_TIME
    assert found.saturated_requests_per_s == pytest.approx(found.curve.requests_per_s[-1])


def test_a_request_as_long_as_its_growth_is_preempted_once_for_each_served():
    of, engine = mix(prompt=1000.0, output=1001.0), rules()
    found = curve(of, engine)
    assert preemption_cost_s(found, of, engine) == pytest.approx(found.prompt_cost_s[-1])


def test_prompts_beyond_the_budget_are_begun_in_vain_unless_they_wait_for_all_their_blocks():
    of = mix(prompt=4000.0, output=100.0)
    found = curve(of, rules())
    by_chunk, whole = (
        preemption_cost_s(found, of, rules(reserves_whole_prompt=one)) for one in (False, True)
    )
    assert by_chunk > 2.0 * whole
    assert np.isfinite(by_chunk)
