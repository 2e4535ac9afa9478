import numpy as np
import pytest

from dcsim.formulas.engine.capacity import engine_capacity
from dcsim.formulas.engine.pool import EnginePool, engine_pool, highest_rate_per_s, state_at_rate
from dcsim.formulas.queueing import mmc_mean_wait_s
from tests.formulas.engines import capacity_by_hand, curve, rules, spread_mix

HOUR_S = 3600.0


def pool_by_hand(
    num_requests, requests_per_s, saturated=None, num_engines=1, duration_s=HOUR_S
) -> EnginePool:
    capacity = capacity_by_hand(num_requests, requests_per_s, saturated)
    return engine_pool(capacity, num_engines, duration_s)


def spread_pool(num_engines=1) -> EnginePool:
    of, engine = spread_mix(), rules()
    return engine_pool(engine_capacity(curve(of, engine), of, engine), num_engines, HOUR_S)


@pytest.mark.parametrize("num_servers", [1, 4, 30])
@pytest.mark.parametrize("load", [0.2, 0.7, 0.95])
def test_servers_of_one_speed_are_the_queue_of_erlang(num_servers, load):
    counts = [float(one) for one in range(1, num_servers + 1)]
    rate_per_s = load * num_servers
    state = state_at_rate(pool_by_hand(counts, counts), rate_per_s)
    wait_s = mmc_mean_wait_s(rate_per_s, 1.0, num_servers)
    assert state.num_requests == pytest.approx(rate_per_s * (wait_s + 1.0))
    assert num_servers > 1 or state.busy_frac == pytest.approx(load)


def test_engines_kept_level_are_one_queue_of_all_their_servers():
    state = state_at_rate(pool_by_hand([1, 2], [1.0, 2.0], num_engines=3), 1.6)
    assert 3 * state.num_requests == pytest.approx(4.8 * (mmc_mean_wait_s(4.8, 1.0, 6) + 1.0))


def test_more_engines_kept_level_make_shorter_stays():
    rate_per_s = 0.8 * highest_rate_per_s(spread_pool())
    stays = [state_at_rate(spread_pool(num_engines), rate_per_s).num_requests for num_engines in (1, 2, 8)]
    assert stays == sorted(stays, reverse=True)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_decodes_take_their_time_per_token(share):
    pool, decodes = spread_pool(), spread_mix().mean_num_decodes
    rate_per_s = share * highest_rate_per_s(pool)
    state = state_at_rate(pool, rate_per_s)
    assert state.num_decoding < state.num_running < state.num_requests
    assert state.tpot_sum_s == pytest.approx(state.num_decoding / decodes, rel=0.1)


def test_stays_and_batches_grow_with_the_rate():
    pool = spread_pool()
    rates = np.linspace(0.05, 0.95, 10) * highest_rate_per_s(pool)
    states = [state_at_rate(pool, rate) for rate in rates]
    for values in ([one.num_requests for one in states], [one.rise_w for one in states]):
        assert np.all(np.diff(values) > 0.0)
    assert np.all(np.diff([one.num_requests / one.requests_per_s for one in states]) > 0.0)


def test_a_dip_that_takes_longer_to_cross_than_the_run_lasts_is_not_crossed():
    curve = [1.0, 20.0, 21.0, 100.0], [1.0, 20.0, 5.0, 60.0]
    low, both = (state_at_rate(pool_by_hand(*curve, duration_s=one), 12.0) for one in (1.0, HOUR_S))
    assert low.num_requests == pytest.approx(12.0, rel=0.02)
    assert both.num_requests > 1.5 * low.num_requests


def test_a_load_that_tips_over_has_no_steady_state():
    slow_beyond = [1.0, 3.0], [1.0, 3.0], 1.5
    assert state_at_rate(pool_by_hand(*slow_beyond), 1.6) is None
    assert state_at_rate(pool_by_hand(*slow_beyond, duration_s=0.1), 1.6) is not None


def test_the_highest_rate_parts_the_loads_that_are_borne_from_those_that_are_not():
    pool = pool_by_hand([1.0, 30.0], [1.0, 30.0], saturated=10.0)
    highest = highest_rate_per_s(pool)
    assert 10.0 < highest < 30.0
    assert state_at_rate(pool, 0.99 * highest) is not None
    assert state_at_rate(pool, 1.01 * highest) is None


def test_without_a_dip_the_highest_rate_is_that_of_saturation():
    assert highest_rate_per_s(pool_by_hand([1, 10], [1.0, 10.0])) == 10.0
