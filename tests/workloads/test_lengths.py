import math

import numpy as np
import pytest
from pydantic import ValidationError

from dcsim.errors import ScenarioError
from dcsim.plugins import policy_class
from dcsim.workloads.length_distribution import LengthDistribution

SDS = 4.0
ROWS = [[100, 10], [200, 20], [300, 30], [400, 40]]
QUANTILES = {"probabilities": [0, 0.25, 0.5, 1], "prompt": [10, 100, 100, 1000], "output": [1, 5, 50, 200]}
ALL = {
    "fixed": {"prompt": 512, "output": 128},
    "lognormal": {"prompt_mean": 1200, "output_mean": 300, "cv": 1.1},
    "quantiles": QUANTILES,
    "bootstrap": {"rows": ROWS},
}


def lengths(policy, **options) -> LengthDistribution:
    found = policy_class("dcsim.workloads.lengths", policy).model_validate(options)
    assert isinstance(found, LengthDistribution)
    return found


def rng(seed=1):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("policy", ALL)
def test_drawing_in_pieces_gives_the_same_lengths_as_drawing_at_once(policy):
    distribution, pieces = lengths(policy, **ALL[policy]), rng()
    drawn = np.concatenate([distribution.sample(pieces, n) for n in (1, 0, 7, 92)])
    np.testing.assert_array_equal(drawn, distribution.sample(rng(), 100))
    assert drawn.dtype == np.int64
    assert drawn.min() >= 1


def test_fixed_lengths_are_fixed():
    assert lengths("fixed", prompt=512, output=128).sample(rng(), 2).tolist() == [[512, 128], [512, 128]]


def test_lognormal_lengths_have_the_means_and_variations_asked_for():
    num = 200_000
    options = {"prompt_mean": 5000, "output_mean": 800, "cv": 0.5, "output_cv": 1.2}
    drawn = lengths("lognormal", **options).sample(rng(), num)
    for column, mean, cv in ((0, 5000, 0.5), (1, 800, 1.2)):
        assert abs(drawn[:, column].mean() / mean - 1) < SDS * cv / math.sqrt(num)
        log_sd = np.log(drawn[:, column]).std()  # of a normal: its own relative sd is 1 / sqrt(2 n)
        assert abs(log_sd / math.sqrt(math.log1p(cv**2)) - 1) < SDS / math.sqrt(2 * num)


def test_lognormal_caps_cut_the_tail():
    options = {"prompt_mean": 1000, "output_mean": 1000, "cv": 2, "prompt_max": 2000}
    drawn = lengths("lognormal", **options).sample(rng(), 10_000)
    assert drawn[:, 0].max() == 2000
    assert drawn[:, 1].max() > 2000


def test_quantile_sampling_gives_the_quantiles_back():
    num = 100_000
    drawn = lengths("quantiles", **QUANTILES).sample(rng(), num)
    for column, values in ((0, [10, 100, 100, 1000]), (1, [1, 5, 50, 200])):
        below = (drawn[:, column, None] <= np.array(values)).mean(axis=0)
        share_at_or_below = np.array([0, 0.5 if column == 0 else 0.25, 0.5, 1])
        half_token = 0.5 * 0.25 / 4  # rounding moves at most half a token across a knot of slope 0.25 / 4
        assert np.all(np.abs(below - share_at_or_below) < SDS * 0.5 / math.sqrt(num) + half_token)
    assert abs(np.corrcoef(drawn.T)[0, 1]) < SDS / math.sqrt(num)


def test_bootstrap_keeps_rows_together_and_draws_all_with_equal_chance():
    num = 40_000
    drawn = lengths("bootstrap", rows=ROWS).sample(rng(), num)
    assert np.all(drawn[:, 0] == 10 * drawn[:, 1])
    counts = np.bincount(drawn[:, 1] // 10, minlength=5)[1:]
    assert np.all(np.abs(counts - num / 4) < SDS * math.sqrt(num * 3 / 16))


def test_bootstrap_reads_named_columns_of_a_file_beside_the_scenario(tmp_path):
    (tmp_path / "pairs.csv").write_text("in,out,who\n100,10,a\n200,20,b\n")
    options = {"file": "pairs.csv", "prompt_column": "in", "output_column": "out"}
    cls = policy_class("dcsim.workloads.lengths", "bootstrap")
    distribution = cls.model_validate(options, context={"folder": tmp_path})
    assert isinstance(distribution, LengthDistribution)
    assert {tuple(pair) for pair in distribution.sample(rng(), 50).tolist()} == {(100, 10), (200, 20)}


def test_a_bad_row_of_a_bootstrap_file_is_named_by_line(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("num_prompt_tokens,num_output_tokens\n100,10\n200,0\n")
    with pytest.raises(ScenarioError, match=r"pairs\.csv:3: column 'num_output_tokens' must be at least 1"):
        lengths("bootstrap", file=str(path)).sample(rng(), 1)


@pytest.mark.parametrize(
    ("policy", "options", "message"),
    [
        ("fixed", {"prompt": 0, "output": 1}, "greater than 0"),
        ("lognormal", {"prompt_mean": 10, "output_mean": 10}, "give cv"),
        ("lognormal", {"prompt_mean": 10, "output_mean": 10, "prompt_cv": 1}, "give cv"),
        (
            "lognormal",
            {"prompt_mean": 9, "output_mean": 9, "cv": 1, "prompt_cv": 1, "output_cv": 1},
            "no effect",
        ),
        ("quantiles", {**QUANTILES, "probabilities": [0, 0.5, 0.5, 1]}, "rise strictly"),
        ("quantiles", {**QUANTILES, "probabilities": [0, 0.2, 0.5, 0.9]}, "end with 1"),
        ("quantiles", {**QUANTILES, "prompt": [10, 5, 20, 30]}, "must not fall"),
        ("quantiles", {**QUANTILES, "output": [1, 2, 3]}, "equally long"),
        ("quantiles", {**QUANTILES, "output": [0, 1, 2, 3]}, "greater than or equal to 1"),
        ("quantiles", {"probabilities": [], "prompt": [], "output": []}, "at least two"),
        ("bootstrap", {}, "either rows or a file"),
        ("bootstrap", {"rows": []}, "at least one pair"),
        ("bootstrap", {"rows": [[1, 0]]}, "greater than or equal to 1"),
        ("bootstrap", {"rows": ROWS, "file": "x.csv"}, "either rows or a file"),
    ],
)
def test_impossible_options_are_refused(policy, options, message):
    with pytest.raises(ValidationError, match=message):
        lengths(policy, **options)


@pytest.mark.parametrize("policy", ALL)
def test_the_mean_is_that_of_many_draws(policy):
    distribution = lengths(policy, **ALL[policy])
    drawn = distribution.sample(rng(), 200_000)
    allowed = SDS * drawn.std(axis=0) / math.sqrt(len(drawn)) + 1e-9
    assert np.all(np.abs(drawn.mean(axis=0) - distribution.mean_tokens) <= allowed)


def test_the_mean_of_capped_log_normal_lengths_counts_the_cap():
    options = {"prompt_mean": 600, "output_mean": 500, "cv": 1.1, "prompt_max": 700, "output_max": 100}
    distribution = lengths("lognormal", **options)
    np.testing.assert_allclose(
        distribution.mean_tokens, distribution.sample(rng(), 200_000).mean(axis=0), rtol=5e-3
    )


def test_a_policy_need_not_know_its_mean():
    class Coin(LengthDistribution):
        def sample(self, rng, num_requests):
            return np.ones((num_requests, 2), dtype=np.int64)

    assert Coin().mean_tokens is None
