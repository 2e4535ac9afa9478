"""Activations of a layer against the table of Korthikanti et al., 2022, arXiv:2205.05198."""

from __future__ import annotations

import pytest

from dcsim.formulas.training.activations import layer_activation_bytes
from dcsim.formulas.training.choices import Recompute
from dcsim.formulas.training.plan import TrainingPlan
from dcsim.formulas.training.software import SoftwareFacts
from tests.formulas.training.plans import MIXTRAL, gpt3, plan

SEPARATE = SoftwareFacts(has_flash_attention=False)
S, B, H, A = 2048, 2, 12288, 96
UNIT = S * B * H
SCORES = 5 * A * S / H


def kept(one: TrainingPlan) -> float:
    return layer_activation_bytes(one, SEPARATE) / UNIT


@pytest.mark.parametrize("t", [1, 2, 8])
def test_tensor_parallelism_leaves_norms_and_dropout_whole(t: int) -> None:
    assert kept(gpt3(micro_sequences=B, tensor=t)) == pytest.approx(10 + 24 / t + SCORES / t)


@pytest.mark.parametrize("t", [2, 8])
def test_sequence_parallelism_divides_all(t: int) -> None:
    one = gpt3(micro_sequences=B, tensor=t, has_sequence_parallelism=True)
    assert kept(one) == pytest.approx(34 / t + SCORES / t)


def test_selective_recomputation_drops_the_scores() -> None:
    one = gpt3(micro_sequences=B, tensor=8, has_sequence_parallelism=True, recompute=Recompute.SELECTIVE)
    assert kept(one) == pytest.approx(34 / 8)


def test_full_recomputation_keeps_the_input() -> None:
    assert kept(gpt3(micro_sequences=B, recompute=Recompute.FULL)) == pytest.approx(2)


def test_full_recomputation_of_half_the_layers_lies_between() -> None:
    half = kept(gpt3(micro_sequences=B, recompute=Recompute.FULL, num_recomputed_layers=48))
    assert half == pytest.approx((2 + 34 + SCORES) / 2)


def test_fused_attention_keeps_no_scores_only_a_statistic_per_query() -> None:
    fused = layer_activation_bytes(gpt3(micro_sequences=B), SoftwareFacts()) / UNIT
    assert fused == pytest.approx(34 + 4 * A / H)


def test_context_parallelism_divides_by_its_ranks() -> None:
    whole, part = (layer_activation_bytes(plan(context=c), SoftwareFacts()) for c in (1, 4))
    assert part == pytest.approx(whole / 4)


def test_imbalance_of_experts_costs_memory() -> None:
    even, uneven = (
        layer_activation_bytes(plan(shape=MIXTRAL, imbalance=i), SoftwareFacts()) for i in (1.0, 1.5)
    )
    assert uneven > even
