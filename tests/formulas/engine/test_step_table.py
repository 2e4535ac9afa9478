import numpy as np
import pytest

from dcsim.formulas.engine.request_mix import GROUP_SIZES
from dcsim.formulas.engine.step_table import poisson_weights
from dcsim.formulas.executed_work import executed_compute_s, executed_memory_s
from dcsim.formulas.power import power_rise_w
from dcsim.formulas.step_time import StepWork, step_time
from tests.formulas.deployments import deployment
from tests.formulas.engines import POWER, mix, rules, table

ONE = np.ones(1)


def prompt_work(tokens: float, decodes: float = 0.0, context: float = 0.0, cached: float = 0.0) -> StepWork:
    return StepWork(
        num_tokens=tokens + decodes,
        num_decodes=decodes,
        decode_context_tokens=context,
        num_prefill_chunks=1.0,
        prefill_pairs=tokens * cached,
        prefill_square=tokens**2,
        prefill_context_tokens=tokens + cached,
        num_sampled=decodes + 1.0,
    )


def test_poisson_weights_give_the_chance_of_any_prompt():
    mean = np.array([0.01, 0.5, 3.0, 40.0])
    is_any = (GROUP_SIZES > 0).astype(float)
    np.testing.assert_allclose(poisson_weights(mean) @ is_any * mean, -np.expm1(-mean), rtol=1e-9)


def test_a_step_of_decodes_is_the_formulas():
    of = mix()
    found = table(of, rules())
    work = StepWork(8.0, 8.0, 8.0 * of.mean_decode_context, num_sampled=8.0)
    seconds = step_time(deployment(), work).total_s
    assert found.decodes_s(8.0 * ONE) == pytest.approx(seconds)
    use = (one(deployment(), work) / seconds for one in (executed_memory_s, executed_compute_s))
    assert found.decodes_j(8.0 * ONE) == pytest.approx(seconds * power_rise_w(POWER, *use))


def test_a_prompt_adds_the_difference_of_two_steps():
    of = mix(prompt=400.0)
    found = table(of, rules())
    for decodes in (0.0, 2.0):
        whole = step_time(deployment(), prompt_work(400.0, decodes, decodes * of.mean_decode_context)).total_s
        added_s = found.of_group(found.added_s, decodes * ONE, ONE)
        assert added_s == pytest.approx(whole - found.decodes_s(decodes * ONE))


def test_a_prompt_beyond_the_budget_takes_several_steps():
    found = table(mix(prompt=4000.0), rules())
    assert found.of_group(found.num_steps, 0.0 * ONE, ONE) == 2.0
    first, second = (
        step_time(deployment(), prompt_work(2000.0, cached=cached)).total_s for cached in (0.0, 2000.0)
    )
    assert found.of_group(found.added_s, 0.0 * ONE, ONE) == pytest.approx(first + second, rel=0.02)


def test_prompts_that_interrupt_decodes_run_whole_and_alone():
    found = table(mix(prompt=4000.0), rules(interrupts_decodes=True))
    alone = step_time(deployment(), prompt_work(4000.0)).total_s
    assert found.of_group(found.added_s, 64.0 * ONE, ONE) == pytest.approx(alone)


def test_a_cached_prefix_saves_its_prompt_tokens():
    whole, rest = (table(mix(prompt=2000.0, cached=cached), rules()) for cached in (0.0, 1500.0))
    one = step_time(deployment(), prompt_work(500.0, cached=1500.0)).total_s
    assert rest.of_group(rest.added_s, 0.0 * ONE, ONE) == pytest.approx(one)
    assert rest.added_s[0, 1] < whole.added_s[0, 1]


def test_beyond_the_largest_group_the_table_goes_on_in_a_straight_line():
    found = table(mix(), rules())
    sizes = np.array([32.0, 64.0, 96.0])
    low, middle, high = found.of_group(found.added_s, 0.0 * sizes, sizes)
    assert high - middle == pytest.approx(middle - low)
