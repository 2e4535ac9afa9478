"""Expert popularity, awake experts and load of ranks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.formulas.moe import expert_popularity, num_active_experts, rank_load_factor

SKEWS = st.floats(min_value=0.0, max_value=2.0)


@given(st.integers(1, 256), SKEWS)
def test_popularity_is_a_distribution_in_falling_order(num_experts: int, skew: float) -> None:
    popularity = expert_popularity(num_experts, skew)
    assert popularity.sum() == pytest.approx(1.0)
    assert np.all(np.diff(popularity) <= 0)


@given(st.sampled_from([8, 16, 128]), st.sampled_from([1, 2, 4, 8]), SKEWS)
def test_the_busiest_rank_carries_at_least_the_mean(num_experts: int, num_ranks: int, skew: float) -> None:
    factor = rank_load_factor(num_experts, num_ranks, skew)
    assert 1 - 1e-9 <= factor <= num_ranks + 1e-9


def test_balanced_ranks_carry_the_mean() -> None:
    assert rank_load_factor(64, 8, 0.0) == pytest.approx(1.0)


@pytest.mark.parametrize("skew", [0.0, 0.7])
def test_awake_experts_grow_with_tokens_up_to_all(skew: float) -> None:
    awake = num_active_experts(np.arange(0.0, 5000.0), 8, 2, num_ranks=1, skew=skew)
    assert isinstance(awake, np.ndarray)
    assert awake[0] == 0.0
    assert np.all(np.diff(awake) >= 0)
    assert awake[-1] == pytest.approx(8.0)


def test_skew_puts_experts_to_sleep() -> None:
    balanced = num_active_experts(16.0, 128, 8, num_ranks=1, skew=0.0)
    assert num_active_experts(16.0, 128, 8, num_ranks=1, skew=1.0) < balanced


def test_awake_experts_agree_with_drawing_them() -> None:
    rng = np.random.default_rng(1)
    drawn = [len(np.unique([rng.choice(16, 2, replace=False) for _ in range(8)])) for _ in range(2000)]
    half_width = 3 * np.std(drawn) / len(drawn) ** 0.5
    assert num_active_experts(8.0, 16, 2, num_ranks=1, skew=0.0) == pytest.approx(
        np.mean(drawn), abs=half_width
    )
