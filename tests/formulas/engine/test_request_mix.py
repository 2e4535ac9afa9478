import numpy as np
import pytest

from dcsim.formulas.engine.request_mix import GROUP_SIZES, RequestMix, prompt_groups
from tests.formulas.engines import mix, spread_mix


def test_the_mean_context_is_that_of_all_decodes_counted_one_by_one():
    prompts, outputs = [5, 100, 7], [3, 1, 9]
    contexts = [p + j for p, n in zip(prompts, outputs, strict=True) for j in range(1, n)]
    requests = RequestMix(*(np.array(one, dtype=float) for one in (prompts, [0, 0, 0], outputs)))
    assert requests.mean_decode_context == pytest.approx(np.mean(contexts))


def test_requests_without_decodes_have_no_context():
    assert mix(output=1.0).mean_decode_context == 0.0
    assert mix(output=1.0).mean_num_decodes == 0.0


def test_a_group_has_the_work_of_so_many_mean_prompts():
    requests = spread_mix()
    groups = prompt_groups(requests, np.random.default_rng(1))
    new = requests.num_new_tokens
    for values, mean in ((groups.num_tokens, new.mean()), (groups.square, (new**2).mean())):
        np.testing.assert_allclose(values.mean(axis=1), GROUP_SIZES[1:] * mean, rtol=1e-9)


def test_groups_of_equal_prompts_are_equal():
    groups = prompt_groups(mix(prompt=400.0, cached=100.0), np.random.default_rng(1))
    np.testing.assert_allclose(groups.num_tokens, groups.sizes * 300.0 * np.ones(32))
    np.testing.assert_allclose(groups.pairs, groups.sizes * 300.0 * 100.0 * np.ones(32))


def test_equal_lengths_are_recognised():
    assert mix().has_equal_lengths
    assert not spread_mix().has_equal_lengths
