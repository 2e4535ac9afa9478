"""Laws of failure times: their means, their survival, lives looked at in the middle, files that are wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dcsim.errors import ScenarioError
from dcsim.plugins import policy_class, policy_names
from dcsim.workloads.failure_time import FAILURE_TIMES, LifeDistribution
from dcsim.workloads.failure_times.trace import Trace

LAWS = [
    ("exponential", {}),
    ("weibull", {"shape": 0.7}),
    ("weibull", {"shape": 3.0}),
    ("lognormal", {"cv": 0.5}),
    ("lognormal", {"cv": 1.5}),
]
MEAN_S, NUM = 1_000.0, 200_000


def law(name: str, options: dict[str, object]) -> LifeDistribution:
    found = policy_class(FAILURE_TIMES, name).model_validate(options)
    assert isinstance(found, LifeDistribution)
    return found


def test_the_laws_of_the_documentation_are_there() -> None:
    assert set(policy_names(FAILURE_TIMES)) >= {"exponential", "weibull", "lognormal", "trace"}


@pytest.mark.parametrize(("name", "options"), LAWS)
def test_lives_have_the_mean_and_the_survival_of_their_law(name: str, options: dict[str, object]) -> None:
    one = law(name, options)
    lives_s = one.lives_s(np.random.default_rng(1), MEAN_S, NUM)
    assert lives_s.mean() == pytest.approx(MEAN_S, rel=0.02)
    for age_s in (100.0, 1_000.0, 3_000.0):
        assert np.mean(lives_s > age_s) == pytest.approx(one.survival(age_s, MEAN_S), abs=0.005)
    assert one.survival(0.0, MEAN_S) == 1.0


@pytest.mark.parametrize(("name", "options"), LAWS)
def test_a_life_met_at_random_is_longer_by_its_variance(name: str, options: dict[str, object]) -> None:
    """The inspection paradox: E[length-biased life] = E[T^2] / E[T]; half of it is still to come."""
    one, rng = law(name, options), np.random.default_rng(2)
    lives_s = one.lives_s(rng, MEAN_S, NUM)
    expected_s = float(np.mean(lives_s**2) / MEAN_S)
    assert one.long_lives_s(rng, MEAN_S, NUM).mean() == pytest.approx(expected_s, rel=0.06)
    assert one.first_s(rng, MEAN_S, NUM).mean() == pytest.approx(expected_s / 2, rel=0.06)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("at_s\n", "no rows"),
        ("when\n1\n", "no column 'at_s'"),
        ("at_s\n5\n3\n", r"failures.csv:3: column 'at_s' must not go back in time"),
        ("at_s\n-1\n", "must be a time from the start"),
        ("at_s\nnan\n", "must be a time from the start"),
        ("at_s,node\n1,-2\n", "must be the number of a node"),
        ("at_s,node\n1,0.5\n", "must be the number of a node"),
        ("at_s,node\n1,x\n", "must be a number"),
    ],
)
def test_a_bad_record_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "failures.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioError, match=message):
        Trace(path="failures.csv").recorded(tmp_path)
