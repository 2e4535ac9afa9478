"""Operations of a step against closed forms."""

from __future__ import annotations

import pytest

from dcsim.formulas.training.choices import Recompute
from dcsim.formulas.training.flops import forward_flops_per_token, step_flops
from dcsim.formulas.training.plan import Adapters
from dcsim.formulas.transformer import num_active_parameters, num_embedding_parameters
from tests.formulas.training.plans import DEEPSEEK, GPT3, LLAMA_8B, MIXTRAL, gpt3, plan

S, L, H, V = 2048, 96, 12288, 51200


def test_gpt_needs_72_bslh2_with_attention_and_logits() -> None:
    # Narayanan et al., 2021, arXiv:2104.04473, appendix
    expected = 72 * 16 * S * L * H**2 * (1 + S / (6 * H) + V / (12 * L * H))
    assert step_flops(gpt3(num_sequences=16)).model == pytest.approx(expected, rel=1e-12)


def test_full_recomputation_takes_96_bslh2() -> None:
    # the same paper, equation 3
    found = step_flops(gpt3(num_sequences=16, recompute=Recompute.FULL))
    expected = 96 * 16 * S * L * H**2 * (1 + S / (6 * H) + V / (16 * L * H))
    assert found.hardware == pytest.approx(expected, rel=1e-12)
    assert found.model == step_flops(gpt3(num_sequences=16)).model


def test_selective_recomputation_adds_the_attention_core_unless_the_kernel_does_it_anyway() -> None:
    chosen = gpt3(recompute=Recompute.SELECTIVE)
    core = 4 * S * S * L * H
    separate = step_flops(chosen, has_flash_attention=False)
    assert separate.hardware - separate.model == pytest.approx(core, rel=1e-9)
    assert step_flops(chosen, has_flash_attention=True).hardware == step_flops(chosen).model


def test_causal_counting_halves_the_attention_core_only() -> None:
    whole = forward_flops_per_token(GPT3, S)
    half = forward_flops_per_token(GPT3, S, causal_frac=0.5)
    assert half.attention_core == pytest.approx(whole.attention_core / 2)
    assert whole.layers - half.layers == pytest.approx(half.attention_core)
    assert half.logits == whole.logits


@pytest.mark.parametrize("shape", [LLAMA_8B, MIXTRAL, DEEPSEEK])
def test_without_attention_a_token_costs_two_operations_per_active_weight(shape: object) -> None:
    found = forward_flops_per_token(shape, 4096)  # type: ignore[arg-type]
    body = num_active_parameters(shape) - num_embedding_parameters(shape)  # type: ignore[arg-type]
    assert found.layers - found.attention_core == pytest.approx(2.0 * body)


def test_frozen_weights_need_two_thirds_of_the_products() -> None:
    whole, tuned = step_flops(plan()), step_flops(plan(adapters=Adapters(rank=16)))
    core = forward_flops_per_token(LLAMA_8B, 4096).attention_core * plan().num_step_tokens
    assert tuned.model - 3 * core == pytest.approx(2 / 3 * (whole.model - 3 * core))


def test_a_teacher_adds_one_forward_pass() -> None:
    one = forward_flops_per_token(GPT3, 4096)
    added = step_flops(plan(teacher=GPT3)).model - step_flops(plan()).model
    assert added == pytest.approx((one.layers + one.logits) * plan().num_step_tokens)
