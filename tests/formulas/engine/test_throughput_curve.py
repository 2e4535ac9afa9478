import numpy as np
import pytest

from tests.formulas.engines import curve, mix, rules, spread_mix, table


def test_a_request_alone_takes_its_prompt_and_a_step_for_each_further_token():
    of, engine = mix(prompt=400.0, output=100.0), rules()
    steps, found = table(of, engine), curve(of, engine)
    alone_s = steps.added_s[0, 1] + 99.0 * steps.decodes_s(np.ones(1))[0]
    assert (found.num_requests[0], found.requests_per_s[0]) == (1.0, pytest.approx(1.0 / alone_s))
    assert found.tpot_sum_s[0] * alone_s == pytest.approx(steps.decodes_s(np.ones(1))[0])


def test_a_request_of_one_token_alone_takes_its_prompt():
    of, engine = mix(output=1.0), rules()
    assert curve(of, engine).requests_per_s[0] == pytest.approx(1.0 / table(of, engine).added_s[0, 1])


@pytest.mark.parametrize("time_share", [0.0, 0.5, 1.0])
def test_more_requests_bring_more_throughput_and_longer_stays(time_share):
    found = curve(spread_mix(), rules(), time_share)
    assert np.all(np.diff(found.num_requests) > 0.0)
    assert np.all(np.diff(found.requests_per_s) > 0.0)
    assert np.all(np.diff(found.num_requests / found.requests_per_s) > 0.0)


def test_no_more_decode_than_run_and_no_more_run_than_are_there():
    found = curve(spread_mix(), rules())
    assert np.all(found.num_decoding < found.num_running)
    assert np.all(found.num_running <= found.num_requests)


def test_throughput_never_exceeds_the_work_that_the_engine_can_do():
    of, engine = spread_mix(), rules()
    steps, found = table(of, engine), curve(of, engine)
    least_s = of.mean_num_decodes * np.min(steps.decode_s[1:] / steps.decode_counts[1:])
    assert np.all(found.requests_per_s * least_s < 1.0)


def test_planning_ahead_makes_a_prompt_wait_for_one_step_more():
    of = mix(prompt=10.0, output=1000.0)
    plain, ahead = (curve(of, rules(is_asynchronous=one)) for one in (False, True))
    at = np.array([32.0])
    waits_s = [
        (one.num_requests - one.num_decoding)[0] / one.requests_per_s[0]
        for one in (plain.at(at), ahead.at(at))
    ]
    step_s = table(of, rules()).decodes_s(at)[0]
    assert waits_s[1] - waits_s[0] == pytest.approx(step_s, rel=0.1)


def test_clients_who_wait_meet_fewer_prompts_in_their_step_than_those_who_come_by_the_clock():
    by_steps, by_clock = (curve(spread_mix(20.0), rules(), share).at(np.array([8.0])) for share in (0.0, 1.0))
    assert by_clock.requests_per_s < by_steps.requests_per_s


def test_the_cache_holds_context_and_half_a_block_of_every_sequence():
    of = mix(prompt=10.0, output=5000.0)
    found = curve(of, rules(num_kv_tokens=10_000_000)).at(np.array([16.0]))
    assert found.held_tokens == pytest.approx(16.0 * (of.mean_decode_context + 8.0), rel=0.01)


def test_a_shared_prefix_is_held_once():
    of, engine = mix(prompt=2000.0, output=2000.0, cached=1600.0), rules(num_prefix_tokens=1600)
    found = curve(of, engine).at(np.array([16.0]))
    assert found.held_tokens == pytest.approx(1600.0 + 16.0 * (of.mean_decode_context - 1592.0), rel=0.05)


def test_a_place_between_points_cuts_the_curve_there():
    found = curve(mix(), rules())
    cut = found.up_to(2.5)
    assert len(cut.num_requests) == 4
    assert cut.num_requests[-1] == pytest.approx((found.num_requests[2] + found.num_requests[3]) / 2.0)


def test_below_one_request_the_engine_stands_still_for_the_rest_of_the_time():
    found = curve(mix(), rules())
    half, one = found.at(np.array([0.5])), found.at(np.array([1.0]))
    assert half.requests_per_s == pytest.approx(one.requests_per_s / 2.0)
    assert half.rise_w == pytest.approx(one.rise_w / 2.0)
