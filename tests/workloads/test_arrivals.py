import math

import numpy as np
import pytest
from pydantic import ValidationError

from dcsim.plugins import policy_class, policy_names
from dcsim.workloads.arrival_process import ArrivalProcess

ARRIVALS = "dcsim.workloads.arrivals"
SDS = 4.0  # standard deviations: a right program fails such a test once in 16,000 seeds
STAGES = [
    {"rate": "2.3 /s", "duration": "10 s"},
    {"rate": 0, "duration": "5 s"},
    {"rate": "9 /s", "duration": "2 min"},
]
AZURE = [{"sd": 0.188, "relaxation_time": "530 ms"}, {"sd": 0.218, "relaxation_time": "233 s"}]
BURSTS = {
    "off": {"median": "10.73 s", "log_sd": 1.351, "min": "2 s", "max": "200 s"},
    "burst_size": {"median": 47.51, "log_sd": 1.28, "max": 600},
    "burst_rate": {"median": "9.885 /s", "log_sd": 0.458},
    "burst_cv": 1.6,
}
OPEN_LOOPS = {
    "constant": {"rate": "7 /s"},
    "poisson": {"rate": "7 /s"},
    "gamma": {"rate": "7 /s", "cv": 3},
    "rate_stages": {"stages": STAGES},
    "cox_ou": {"rate": "5.53 /s", "fluctuations": AZURE},
    "on_off_bursts": BURSTS,
}


def arrivals(policy, **options) -> ArrivalProcess:
    found = policy_class(ARRIVALS, policy).model_validate(options)
    assert isinstance(found, ArrivalProcess)
    return found


def rng(seed=1):
    return np.random.default_rng(seed)


def index_of_dispersion(instants, window_s, duration_s):
    counts = np.histogram(instants, np.arange(0.0, duration_s + window_s / 2, window_s))[0]
    return counts.var() / counts.mean()


def test_every_installed_process_is_tested_here():
    assert set(policy_names(ARRIVALS)) == {*OPEN_LOOPS, "closed_loop", "burst"}


@pytest.mark.parametrize("policy", OPEN_LOOPS)
def test_instants_are_sorted_and_inside_the_duration(policy):
    instants = arrivals(policy, **OPEN_LOOPS[policy]).instants(rng(), 100.0, None)
    assert len(instants) > 10
    assert np.all(np.diff(instants) >= 0)
    assert instants[0] >= 0
    assert instants[-1] < 100.0


@pytest.mark.parametrize("policy", OPEN_LOOPS)
def test_limits_cut_the_instants_and_never_change_them(policy):
    process = arrivals(policy, **OPEN_LOOPS[policy])
    instants = process.instants(rng(), 130.0, None)
    np.testing.assert_array_equal(process.instants(rng(), 130.0, 20), instants[:20])
    np.testing.assert_array_equal(process.instants(rng(), 50.0, None), instants[instants < 50.0])
    np.testing.assert_array_equal(process.instants(rng(), math.inf, 20), instants[:20])


@pytest.mark.parametrize("policy", sorted(set(OPEN_LOOPS) - {"rate_stages"}))
def test_endless_arrivals_are_refused(policy):
    with pytest.raises(ValueError, match="without an end"):
        arrivals(policy, **OPEN_LOOPS[policy]).instants(rng(), math.inf, None)


def test_constant_gaps_are_equal():
    np.testing.assert_allclose(
        arrivals("constant", rate="4 /s").instants(rng(), 1.0, None), [0, 0.25, 0.5, 0.75]
    )


def test_poisson_gaps_are_exponential_by_mean_variation_and_kolmogorov_smirnov():
    rate, num = 5.0, 100_000
    gaps = np.sort(np.diff(arrivals("poisson", rate="5 /s").instants(rng(), math.inf, num + 1)))
    assert abs(gaps.mean() * rate - 1) < SDS / math.sqrt(num)
    assert abs(gaps.std() / gaps.mean() - 1) < SDS / math.sqrt(
        num
    )  # sd of a sample cv, exponential: 1/sqrt(n)
    theory = 1 - np.exp(-rate * gaps)
    distance = max(np.max(np.arange(1, num + 1) / num - theory), np.max(theory - np.arange(num) / num))
    assert distance < 1.95 / math.sqrt(num)  # Kolmogorov's 0.1 % point


def test_poisson_gaps_are_not_cut_at_three_means():
    gaps = np.diff(arrivals("poisson", rate="1 /s").instants(rng(), math.inf, 100_001))
    expected = math.exp(-3)
    assert abs((gaps > 3).mean() - expected) < SDS * math.sqrt(expected / len(gaps))


@pytest.mark.parametrize("cv", [0.3, 1.0, 3.0])
def test_gamma_gaps_have_the_mean_and_variation_asked_for(cv):
    num = 200_000
    gaps = np.diff(arrivals("gamma", rate="8 /s", cv=cv).instants(rng(), math.inf, num + 1))
    assert abs(gaps.mean() * 8 - 1) < SDS * cv / math.sqrt(num)
    # Delta method: var(s^2/mean^2) of a gamma sample is about (2 + 2 cv^2) cv^4 / n.
    assert abs((gaps.std() / gaps.mean() / cv) ** 2 - 1) < SDS * math.sqrt((2 + 2 * cv**2) / num)


def test_exact_stages_hold_exactly_rate_times_duration_requests():
    instants = arrivals("rate_stages", stages=STAGES, counts="exact").instants(rng(), math.inf, None)
    assert list(np.histogram(instants, [0, 10, 15, 135])[0]) == [23, 0, 1080]


def test_exact_stages_spread_requests_uniformly():
    stages = [{"rate": "100 /s", "duration": "100 s"}]
    instants = arrivals("rate_stages", stages=stages, counts="exact").instants(rng(), math.inf, None)
    num = len(instants)
    distance = np.max(np.abs(instants / 100 - (np.arange(num) + 0.5) / num))
    assert distance < 1.95 / math.sqrt(num)


def test_poisson_stages_have_poisson_counts():
    process = arrivals("rate_stages", stages=STAGES)
    counts = [len(process.instants(rng(seed), math.inf, None)) for seed in range(200)]
    expected = process.mean_rate_per_s * process.default_duration_s
    assert expected == pytest.approx(1103)
    assert abs(np.mean(counts) - expected) < SDS * math.sqrt(expected / len(counts))
    assert abs(np.var(counts, ddof=1) / expected - 1) < SDS * math.sqrt(2 / (len(counts) - 1))


def test_a_closed_loop_has_clients_and_no_instants():
    loop = arrivals("closed_loop", concurrency=16)
    assert loop.concurrency == 16
    assert loop.mean_rate_per_s is None
    assert len(loop.instants(rng(), math.inf, 100)) == 0


def test_a_burst_puts_all_requests_at_zero():
    assert arrivals("burst", num_requests=5).instants(rng(), math.inf, None).tolist() == [0.0] * 5
    assert arrivals("burst", num_requests=5).instants(rng(), math.inf, 3).tolist() == [0.0] * 3
    assert arrivals("burst").instants(rng(), math.inf, 3).tolist() == [0.0] * 3


def test_cox_ou_without_fluctuation_is_poisson():
    process = arrivals("cox_ou", rate="20 /s", fluctuations=[{"sd": 0, "relaxation_time": "10 s"}])
    gaps = np.diff(process.instants(rng(), math.inf, 50_001))
    assert abs(gaps.mean() * 20 - 1) < SDS / math.sqrt(50_000)
    assert abs(gaps.std() / gaps.mean() - 1) < SDS / math.sqrt(50_000)


def test_cox_ou_follows_the_theory_of_its_index_of_dispersion():
    duration_s, rate = 400_000.0, 5.53
    instants = arrivals("cox_ou", rate="5.53 /s", fluctuations=AZURE).instants(rng(), duration_s, None)
    for window_s in (1, 10, 60, 300):
        lag_s = np.linspace(0, window_s, 20_001)
        log_covariance = 0.188**2 * np.exp(-lag_s / 0.53) + 0.218**2 * np.exp(-lag_s / 233)
        weighted = (window_s - lag_s) * np.expm1(log_covariance)
        integral = np.sum((weighted[1:] + weighted[:-1]) / 2) * lag_s[1]
        theory = 1 + 2 * rate / window_s * integral
        num_independent = duration_s / (2 * 233 + window_s)
        measured = index_of_dispersion(instants, window_s, duration_s)
        assert abs(measured / theory - 1) < SDS * math.sqrt(2 / num_independent)


def test_cox_ou_keeps_the_mean_rate():
    duration_s = 400_000.0
    instants = arrivals("cox_ou", rate="5.53 /s", fluctuations=AZURE).instants(rng(), duration_s, None)
    sd = 0.218 * math.sqrt(2 * 233 / duration_s)  # of the time mean of the slow part, which dominates
    assert abs(len(instants) / duration_s / 5.53 - 1) < SDS * sd


def test_on_off_bursts_keep_the_rate_of_the_renewal_reward_theorem():
    process = arrivals("on_off_bursts", **BURSTS)
    duration_s = 2_000_000.0
    num_cycles = duration_s * process.mean_rate_per_s / 90  # a burst has about 90 requests
    relative = len(process.instants(rng(), duration_s, None)) / duration_s / process.mean_rate_per_s
    assert abs(relative - 1) < SDS * 2 / math.sqrt(num_cycles)  # cv of a cycle's size and length is below 2


def test_on_off_bursts_are_as_bursty_as_the_azure_code_trace():
    instants = arrivals("on_off_bursts", **BURSTS).instants(rng(), 2_000_000.0, None)
    gaps = np.diff(instants)
    assert gaps.std() / gaps.mean() == pytest.approx(12.0, rel=0.05)  # the trace itself has 13.2
    assert index_of_dispersion(instants, 60, 2_000_000.0) == pytest.approx(134, rel=0.1)


@pytest.mark.parametrize(
    ("policy", "options"),
    [
        ("poisson", {"rate": 0}),
        ("poisson", {"rate": "-1 /s"}),
        ("poisson", {"rate": 5}),
        ("poisson", {"rate": "5 s"}),
        ("constant", {}),
        ("gamma", {"rate": "5 /s", "cv": 0}),
        ("gamma", {"rate": "5 /s", "cv": float("nan")}),
        ("rate_stages", {"stages": []}),
        ("rate_stages", {"stages": [{"rate": 0, "duration": "1 s"}]}),
        ("rate_stages", {"stages": [{"rate": "1e9 /s", "duration": "1 yr"}]}),
        ("closed_loop", {"concurrency": 0}),
        ("cox_ou", {"rate": "5 /s", "fluctuations": [{"sd": 0.1, "relaxation_time": "1 ns"}]}),
        ("cox_ou", {"rate": "5 /s", "fluctuations": []}),
        ("on_off_bursts", {**BURSTS, "off": {"median": "5 s", "log_sd": 1, "min": "9 s", "max": "2 s"}}),
    ],
)
def test_impossible_options_are_refused(policy, options):
    with pytest.raises(ValidationError):
        arrivals(policy, **options)


def test_the_mean_rate_of_a_stretch_counts_the_stages_in_it():
    stages = policy_class(ARRIVALS, "rate_stages").model_validate({"stages": STAGES})
    assert stages.mean_rate_within(5.0, 15.0) == pytest.approx(11.5 / 10.0)
    assert stages.mean_rate_within(0.0, math.inf) == pytest.approx(stages.mean_rate_per_s)
    assert stages.mean_rate_within(1000.0, 2000.0) == pytest.approx(stages.mean_rate_per_s)


def test_the_mean_rate_of_a_stretch_is_the_long_run_rate_of_other_processes():
    poisson = policy_class(ARRIVALS, "poisson").model_validate({"rate": "7 /s"})
    loop = policy_class(ARRIVALS, "closed_loop").model_validate({"concurrency": 8})
    assert (poisson.mean_rate_within(5.0, 9.0), loop.mean_rate_within(5.0, 9.0)) == (7.0, None)
