"""Pipeline schedules: bubbles against a clockwork that runs the passes one by one, memory, refusals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.formulas.training.schedule import MicroBatchTime, PipelineSize
from dcsim.plugins import policy_class, policy_names
from dcsim.policies.pipeline_schedule import PipelineSchedule
from dcsim.policies.pipeline_schedules.dualpipe import Dualpipe
from dcsim.policies.pipeline_schedules.gpipe import Gpipe
from dcsim.policies.pipeline_schedules.interleaved import Interleaved
from dcsim.policies.pipeline_schedules.one_forward_one_backward import OneForwardOneBackward
from dcsim.policies.pipeline_schedules.zero_bubble import ZeroBubble

FOLDER = "dcsim.policies.pipeline_schedules"
TIME = MicroBatchTime(forward_s=1.0, input_backward_s=1.0, weight_backward_s=1.0)
Pass = tuple[str, int]  # "F" or "B", and the micro-batch


def gpipe_order(stage: int, stages: int, count: int) -> list[Pass]:
    return [("F", n) for n in range(count)] + [("B", n) for n in range(count)]


def one_forward_order(stage: int, stages: int, count: int) -> list[Pass]:
    ahead = min(stages - stage, count)
    order: list[Pass] = [("F", n) for n in range(ahead)]
    for n in range(count):
        order.append(("B", n))
        if n + ahead < count:
            order.append(("F", n + ahead))
    return order


def clockwork_s(orders: list[list[Pass]], forward_s: float, backward_s: float) -> float:
    """When the last pass ends, each stage doing its passes in order as soon as what they need is there."""
    stages, ends, free, next_pass = len(orders), {}, [0.0] * len(orders), [0] * len(orders)
    while any(next_pass[s] < len(orders[s]) for s in range(stages)):
        for s in range(stages):
            while next_pass[s] < len(orders[s]):
                kind, n = orders[s][next_pass[s]]
                before = ("F", s - 1, n) if kind == "F" else ("B", s + 1, n)
                if kind == "B" and s == stages - 1:
                    before = ("F", s, n)
                needs_other = not (kind == "F" and s == 0)
                if needs_other and before not in ends:
                    break
                start = max(free[s], ends[before] if needs_other else 0.0)
                free[s] = ends[(kind, s, n)] = start + (forward_s if kind == "F" else backward_s)
                next_pass[s] += 1
    return max(free)


@given(
    stages=st.integers(1, 6),
    count=st.integers(1, 12),
    forward_s=st.floats(0.1, 3.0),
    backward_s=st.floats(0.1, 3.0),
)
def test_gpipe_and_1f1b_last_as_long_as_the_clockwork(
    stages: int, count: int, forward_s: float, backward_s: float
) -> None:
    size = PipelineSize(stages, 1, count)
    time = MicroBatchTime(forward_s, backward_s / 2, backward_s / 2)
    for schedule, order in ((Gpipe(), gpipe_order), (OneForwardOneBackward(), one_forward_order)):
        whole_s = clockwork_s([order(s, stages, count) for s in range(stages)], forward_s, backward_s)
        predicted_s = count * (forward_s + backward_s) + schedule.bubble_s(size, time)
        assert predicted_s >= whole_s - 1e-9  # with fewer micro-batches than stages a little may overlap
        if count >= stages:
            assert predicted_s == pytest.approx(whole_s)


def test_the_bubble_fraction_is_p_minus_1_over_v_m() -> None:
    # Narayanan et al., 2021, arXiv:2104.04473, section 2.2
    size = PipelineSize(8, 4, 64)
    ideal_s = 64 * (TIME.forward_s + TIME.backward_s)
    assert Interleaved().bubble_s(size, TIME) / ideal_s == pytest.approx(7 / (4 * 64))


def test_zero_bubble_hides_weight_gradients_in_the_gaps() -> None:
    # Qi et al., 2023, arXiv:2401.10241, section 2: with equal passes a third of 1F1B's bubble
    size = PipelineSize(8, 1, 64)
    whole_s = OneForwardOneBackward().bubble_s(size, TIME)
    assert ZeroBubble().bubble_s(size, TIME) == pytest.approx(whole_s / 3)


def test_dualpipe_follows_its_table() -> None:
    # DeepSeek-AI, 2024, arXiv:2412.19437, table 2: (p/2 - 1)(F&B + B - 3W)
    assert Dualpipe().bubble_s(PipelineSize(16, 1, 64), TIME) == pytest.approx(7 * (3 + 2 - 3))
    assert Dualpipe().num_kept_micro_batches(PipelineSize(16, 1, 64)) == 17
    assert Dualpipe().num_weight_copies() == 2


@pytest.mark.parametrize("name", policy_names(FOLDER))
def test_one_stage_never_idles(name: str) -> None:
    schedule = policy_class(FOLDER, name)()
    assert isinstance(schedule, PipelineSchedule)
    assert schedule.bubble_s(PipelineSize(1, 1, 8), TIME) == 0.0


@pytest.mark.parametrize("name", policy_names(FOLDER))
def test_no_schedule_keeps_more_micro_batches_than_there_are(name: str) -> None:
    schedule = policy_class(FOLDER, name)()
    assert isinstance(schedule, PipelineSchedule)
    assert schedule.num_kept_micro_batches(PipelineSize(16, 2, 4)) <= 4


def test_1f1b_keeps_a_micro_batch_per_stage_gpipe_all() -> None:
    size = PipelineSize(4, 1, 64)
    assert OneForwardOneBackward().num_kept_micro_batches(size) == 4
    assert Gpipe().num_kept_micro_batches(size) == 64


def test_interleaving_keeps_more_by_its_penalty() -> None:
    # Korthikanti et al., 2022, arXiv:2205.05198, section 4.2.3
    assert Interleaved().num_kept_micro_batches(PipelineSize(8, 3, 64)) == pytest.approx(8 * (1 + 7 / 24))


def test_impossible_sizes_are_told() -> None:
    assert list(OneForwardOneBackward().problems(PipelineSize(4, 2, 8)))
    assert list(Interleaved().problems(PipelineSize(4, 2, 6)))
    assert not list(Interleaved().problems(PipelineSize(4, 2, 8)))
    assert list(Dualpipe().problems(PipelineSize(3, 1, 8)))
    assert list(Dualpipe().problems(PipelineSize(4, 1, 6)))
    assert not list(Dualpipe().problems(PipelineSize(4, 1, 8)))
