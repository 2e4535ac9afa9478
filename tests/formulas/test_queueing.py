import math

import pytest

from dcsim.formulas import queueing


def test_erlang_c_for_one_server_is_the_utilization():
    assert queueing.erlang_c(0.7, 1) == pytest.approx(0.7)


def test_erlang_c_is_the_textbook_sum():
    load, servers = 3.5, 5
    head = sum(load**k / math.factorial(k) for k in range(servers))
    tail = load**servers / math.factorial(servers) * servers / (servers - load)
    assert queueing.erlang_c(load, servers) == pytest.approx(tail / (head + tail))


def test_erlang_formulas_stay_finite_for_a_thousand_servers():
    assert 0.0 < queueing.erlang_b(990.0, 1000) < queueing.erlang_c(990.0, 1000) < 1.0


def test_an_overloaded_queue_waits_for_ever():
    assert queueing.mmc_mean_wait_s(5.0, 1.0, 4) == math.inf
    assert queueing.mg1_mean_wait_s(1.0, 1.0, 1.0) == math.inf
    assert queueing.erlang_c(5.0, 4) == 1.0


def test_one_server_with_exponential_service_waits_alike_by_both_formulas():
    wait_s = queueing.mmc_mean_wait_s(0.8, 1.0, 1)
    assert wait_s == pytest.approx(0.8 / 0.2)
    assert wait_s == pytest.approx(queueing.mg1_mean_wait_s(0.8, 1.0, 1.0))


def test_deterministic_service_halves_the_wait():
    halved_s = queueing.mg1_mean_wait_s(0.8, 1.0, 0.0)
    assert halved_s == pytest.approx(queueing.mg1_mean_wait_s(0.8, 1.0, 1.0) / 2)


def test_pooling_servers_shortens_the_wait():
    assert queueing.mmc_mean_wait_s(8.0, 1.0, 10) < queueing.mmc_mean_wait_s(0.8, 1.0, 1)
