import numpy as np
import pytest

from dcsim.metrics.itl import GapMeter, GapSketch
from dcsim.metrics.kv_transfers import FirstGaps
from dcsim.metrics.step_cost import StepCosts
from dcsim.metrics.step_rows import OrderedSteps
from dcsim.metrics.window import Window
from dcsim.spec.deployment import resolve_deployment
from tests.metrics.by_hand import preemptions, scenario, steps

WHOLE = Window(0.0, 10.0)
NO_FIRST_GAPS = FirstGaps(np.empty(0, dtype=np.int64), np.empty(0))


def gaps(table, *, window=WHOLE, singles=(), held=None):
    ordered = OrderedSteps(table)
    num_without_gap = np.zeros(len(ordered), dtype=np.int64)
    num_without_gap[list(singles)] = 1
    meter = GapMeter(ordered, window, num_without_gap, NO_FIRST_GAPS)
    costs = StepCosts(resolve_deployment(scenario(), "chat").deployment, table)
    for rows in ordered.chunks():
        meter.add(rows, costs.of(rows))
    if held is not None:
        meter.add_preemptions(held)
    return meter.sketch


def prompt(at, duration):
    return {"started_at_s": at, "duration_s": duration, "num_prefill_tokens": 10, "num_sampled": 1}


def decode(at, duration, num_decodes, num_steps=1, **more):
    return {
        "started_at_s": at,
        "duration_s": duration,
        "num_decodes": num_decodes,
        "num_steps": num_steps,
        **more,
    }


def num_gaps(sketch):
    return float(sketch._weights.sum())


def test_a_step_ends_one_gap_of_its_length_for_each_decode():
    sketch = gaps(steps(decode(0.0, 0.1, 3), decode(0.1, 0.5, 1)))
    figures = sketch.figures()
    assert num_gaps(sketch) == 4
    assert figures["mean"] == pytest.approx(0.8 / 4)
    assert figures["p50"] == pytest.approx(0.1)
    assert figures["max"] == pytest.approx(0.5)


def test_a_jump_is_spread_over_steps_that_grow_evenly_about_their_mean():
    figures = gaps(steps(decode(0.0, 5.0, 64, num_steps=1000, decode_context_tokens=6400))).figures()
    assert figures["mean"] == pytest.approx(0.005, rel=1e-12)
    assert figures["p50"] == pytest.approx(0.005, rel=0.1)
    assert figures["p99"] > 0.0055
    assert 2 * figures["mean"] - figures["p50"] < figures["max"]


def test_the_first_gap_after_foreign_prompts_reaches_back_over_them():
    # a and b: a's prompt, 4 decodes, b's prompt alone, then both twice
    sketch = gaps(steps(prompt(0.0, 1.0), decode(1.0, 0.4, 1, 4), prompt(1.4, 1.0), decode(2.4, 0.2, 2, 2)))
    figures = sketch.figures()
    assert num_gaps(sketch) == pytest.approx(4 + 2 + 2)
    assert figures["mean"] == pytest.approx((0.4 + 1.2 + 0.2) / 8)  # a from 1.0 to 2.6, b from 2.4 to 2.6
    assert figures["max"] == pytest.approx(1.1, rel=0.01)


def test_several_prompts_in_a_row_have_each_its_own_first_gap():
    sketch = gaps(steps(decode(0.0, 0.1, 1), prompt(0.1, 1.0), prompt(1.1, 1.0), decode(2.1, 0.1, 3)))
    assert sketch.figures()["mean"] == pytest.approx((0.1 + 2.1 + 1.1 + 0.1) / 4)


def test_a_prompt_with_one_output_token_takes_nobodys_gap():
    table = steps(decode(0.0, 0.1, 1), prompt(0.1, 1.0), decode(1.1, 0.1, 1))
    assert gaps(table, singles=[1]).figures()["max"] == pytest.approx(1.1)
    assert gaps(table).figures()["max"] == pytest.approx(0.1)


def test_engines_do_not_mix():
    rows = [decode(0.0, 0.1, 1), {**prompt(0.05, 1.0), "engine": 1}, decode(0.1, 0.1, 1)]
    assert gaps(steps(*rows)).figures()["max"] == pytest.approx(0.1)


def test_an_idle_engine_makes_no_gap():
    figures = gaps(steps(decode(0.0, 0.1, 1), prompt(5.0, 1.0), decode(6.0, 0.1, 1))).figures()
    assert figures["max"] == pytest.approx(0.1)


def test_the_gap_over_a_preemption_counts_once_however_often_the_request_was_preempted():
    row = {"request": 7, "last_token_at_s": 1.0, "next_token_at_s": 3.0}
    held = preemptions({**row, "preempted_at_s": 1.0}, {**row, "preempted_at_s": 2.0}, {"request": 8})
    sketch = gaps(steps(decode(0.0, 0.1, 1)), held=held)
    assert num_gaps(sketch) == 2
    assert sketch.figures()["max"] == pytest.approx(2.0)


def test_only_the_window_counts():
    sketch = gaps(
        steps(decode(0.0, 1.0, 1), decode(1.0, 1.0, 2), decode(2.0, 1.0, 1)), window=Window(1.5, 2.0)
    )
    assert num_gaps(sketch) == pytest.approx(1.0)


def test_the_sketch_is_within_a_tenth_of_a_percent_of_the_order_statistics():
    values = np.random.default_rng(1).lognormal(-3.0, 1.0, 20_000)
    sketch = GapSketch()
    for part in np.array_split(values, 7):
        sketch.add(part, np.ones(len(part)), np.zeros(len(part), dtype=np.int64))
    found = sketch.figures()
    expected = np.percentile(values, [50, 90, 95, 99], method="inverted_cdf")
    assert [found[name] for name in ("p50", "p90", "p95", "p99")] == pytest.approx(expected, rel=1e-3)
    assert found["mean"] == pytest.approx(values.mean())


def test_no_gaps_have_no_figures():
    assert set(gaps(steps(prompt(0.0, 1.0))).figures().values()) == {None}
