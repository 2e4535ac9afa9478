import numpy as np
import pytest

from dcsim.formulas.engine.load import saturated_state, state_in_lockstep, state_with_clients
from tests.formulas.engines import capacity_by_hand, mix, rules, table


def test_clients_are_in_the_engine_or_pause():
    capacity = capacity_by_hand([1, 10], [1.0, 10.0])
    state = state_with_clients(capacity, 6.0, 0.5)
    assert state.num_requests == pytest.approx(4.0)  # 4 + 4 x 0.5 = 6
    assert state.requests_per_s == pytest.approx(4.0)


def test_clients_beyond_the_limit_wait():
    state = state_with_clients(capacity_by_hand([1, 10], [1.0, 10.0]), 45.0, 0.5)
    assert (state.requests_per_s, state.num_requests) == (10.0, 40.0)


def test_fewer_clients_than_engines_leave_them_idle_in_part():
    state = state_with_clients(capacity_by_hand([1, 10], [1.0, 10.0]), 0.5, 0.0)
    assert (state.busy_frac, state.requests_per_s) == (0.5, 0.5)


def test_at_saturation_the_engine_is_always_busy():
    state = saturated_state(capacity_by_hand([1, 10], [1.0, 10.0], saturated=8.0))
    assert (state.busy_frac, state.requests_per_s) == (1.0, 8.0)


def test_clients_in_step_take_their_prompts_together_and_decode_together():
    of, engine = mix(prompt=100.0, output=51.0), rules()
    steps, clients = table(of, engine), 8.0
    state = state_in_lockstep(steps, of, engine, clients)
    prompts_s = steps.of_group(steps.added_s, np.zeros(1), np.array([clients]))[0]
    round_s = prompts_s + 50.0 * steps.decodes_s(np.array([clients]))[0]
    assert state.requests_per_s == pytest.approx(clients / round_s)
    assert state.num_requests == pytest.approx(clients)


def test_clients_in_step_that_cannot_all_run_are_not_in_step():
    of, engine = mix(), rules(max_num_seqs=4)
    assert state_in_lockstep(table(of, engine), of, engine, 8.0) is None
