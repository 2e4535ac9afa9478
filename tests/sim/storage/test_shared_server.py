"""Processor sharing: against theory, against a twin that steps, and with nothing lost on the way."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import simpy
from hypothesis import given
from hypothesis import strategies as st

from dcsim.formulas.fair_share import fair_shares
from dcsim.formulas.storage import Demand
from dcsim.sim.storage.shared_server import Portion, SharedServer
from dcsim.sim.storage.transfer_work import TransferWork
from tests.truth.intervals import assert_mean_is

# When it comes, time at the full server, time at its own nodes, weight.
Arrival = tuple[float, float, float, float]
ARRIVALS = st.lists(
    st.tuples(
        st.floats(0.0, 5.0), st.floats(0.01, 4.0), st.floats(0.0, 6.0), st.sampled_from([1.0, 2.0, 7.0])
    ),
    min_size=1,
    max_size=7,
)


def sojourns(arrivals: Sequence[Arrival]) -> list[float]:
    """Time from start to end of each arrival, on the clock."""
    environment = simpy.Environment()
    server = SharedServer(environment)
    ends = [float("nan")] * len(arrivals)

    def begin(number: int) -> None:
        def done() -> None:
            ends[number] = environment.now

        work = TransferWork(done)
        _, shared_s, own_s, weight = arrivals[number]
        server.start(Portion(work, Demand(shared_s, own_s), weight))
        work.close()

    for number, arrival in enumerate(arrivals):
        environment.timeout(arrival[0]).callbacks.append(lambda _, number=number: begin(number))
    environment.run()
    return [end - arrival[0] for end, arrival in zip(ends, arrivals, strict=True)]


def sojourns_of_twin(arrivals: Sequence[Arrival]) -> list[float]:
    """The same without a clock: from change to change, over lists."""
    now_s, left = 0.0, [1.0] * len(arrivals)
    ends = [float("inf")] * len(arrivals)
    while any(part > 0.0 for part in left):
        active = [i for i, one in enumerate(arrivals) if one[0] <= now_s and left[i] > 0.0]
        rates = {}
        if active:
            shares = fair_shares(
                [arrivals[i][3] for i in active],
                [min(1.0, arrivals[i][1] / max(arrivals[i][2], arrivals[i][1])) for i in active],
            )
            rates = {i: share / arrivals[i][1] for i, share in zip(active, shares, strict=True)}
        next_s = min(
            [one[0] for one in arrivals if one[0] > now_s] + [now_s + left[i] / rates[i] for i in active]
        )
        for i in active:
            left[i] -= (next_s - now_s) * rates[i]
            if left[i] < 1e-11:
                left[i], ends[i] = 0.0, next_s
        now_s = next_s
    return [end - arrival[0] for end, arrival in zip(ends, arrivals, strict=True)]


@given(ARRIVALS)
def test_every_end_is_that_of_the_twin_without_a_clock(arrivals: list[Arrival]) -> None:
    assert sojourns(arrivals) == pytest.approx(sojourns_of_twin(arrivals), rel=1e-6, abs=1e-9)


@given(ARRIVALS)
def test_nobody_is_faster_than_alone_and_the_server_is_never_idle_while_it_could_work(
    arrivals: list[Arrival],
) -> None:
    times = sojourns(arrivals)
    assert all(time >= max(one[1:3]) - 1e-9 for time, one in zip(times, arrivals, strict=True))
    greedy = [(at, shared, 0.0, weight) for at, shared, _, weight in arrivals]
    last = max(at + time for (at, *_), time in zip(greedy, sojourns(greedy), strict=True))
    busy_until = 0.0
    for at, shared, *_ in sorted(greedy):  # a work-conserving server is done when any other such would be
        busy_until = max(busy_until, at) + shared
    assert last == pytest.approx(busy_until)


def test_two_equal_users_take_twice_as_long() -> None:
    assert sojourns([(0.0, 3.0, 0.0, 1.0), (0.0, 3.0, 0.0, 1.0)]) == pytest.approx([6.0, 6.0])


def test_a_user_that_its_own_nodes_slow_down_leaves_the_rest_to_others() -> None:
    assert sojourns([(0.0, 1.0, 10.0, 1.0), (0.0, 9.0, 0.0, 1.0)]) == pytest.approx([10.0, 10.0])


def test_a_user_with_three_nodes_gets_three_times_the_share() -> None:
    assert sojourns([(0.0, 3.0, 0.0, 3.0), (0.0, 1.0, 0.0, 1.0)]) == pytest.approx([4.0, 4.0])


@pytest.mark.parametrize("law", ["constant", "exponential", "mixed"])
def test_mean_sojourn_under_poisson_arrivals_is_that_of_mg1_processor_sharing(law: str) -> None:
    """E[T] = E[S] / (1 - rho) whatever the law of S (Kleinrock, Queueing Systems II, 1976, section 4.4)."""
    rho, num, warmup = 0.6, 3000, 300
    means = []
    for seed in range(6):
        rng = np.random.default_rng([seed, len(law)])
        service_s = {
            "constant": np.ones(num),
            "exponential": rng.exponential(1.0, num),
            "mixed": rng.exponential(1.0, num) * np.where(rng.random(num) < 0.1, 5.5, 0.5),
        }[law]
        arrived_at_s = np.cumsum(rng.exponential(1.0 / rho, num))
        arrivals = [(at, s, 0.0, 1.0) for at, s in zip(arrived_at_s, service_s, strict=True)]
        means.append(float(np.mean(sojourns(arrivals)[warmup:])))
    assert_mean_is(1.0 / (1.0 - rho), means, tightness=0.2)


def test_a_long_run_ends_although_rounding_leaves_crumbs() -> None:
    """At an hour of 1e9 seconds the clock resolves 1e-7 s: ends closer than that must not stop it."""
    times = sojourns([(1e9, 1e-9, 0.0, 1.0), (1e9, 3e-9, 0.0, 1.0), (1e9 + 1.0, 1.0 / 3.0, 0.0, 7.0)])
    assert times == pytest.approx([0.0, 0.0, 1.0 / 3.0], abs=1e-6)


def test_work_at_a_rate_next_to_nothing_does_not_end() -> None:
    assert sojourns([(0.0, 1e305, 0.0, 1.0)]) == pytest.approx([float("nan")], nan_ok=True)
