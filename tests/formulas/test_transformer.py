"""Parameters, operations and KV elements of transformers."""

import pytest

from dcsim.formulas.transformer import (
    decode_flops_per_pair,
    flops_per_pair,
    flops_per_token,
    kv_elements_per_token,
    num_active_parameters,
    num_embedding_parameters,
    num_parameters,
)
from tests.formulas.deployments import LLAMA_8B, MIXTRAL, SMALL_MLA


def test_llama_3_1_8b_has_its_published_parameters() -> None:
    assert num_parameters(LLAMA_8B) == pytest.approx(8.03e9, rel=1e-3)


def test_mixtral_has_its_published_parameters_in_all_and_active() -> None:
    assert num_parameters(MIXTRAL) == pytest.approx(46.7e9, rel=1e-3)
    assert num_active_parameters(MIXTRAL) == pytest.approx(12.9e9, rel=2e-3)


def test_a_dense_model_uses_all_its_parameters() -> None:
    assert num_active_parameters(LLAMA_8B) == num_parameters(LLAMA_8B)


def test_grouped_heads_share_keys_and_values() -> None:
    assert kv_elements_per_token(LLAMA_8B) == 2 * 32 * 8 * 128


def test_latent_attention_caches_its_latent_and_one_rotary_key() -> None:
    assert kv_elements_per_token(SMALL_MLA) == 4 * (128 + 32)


def test_a_token_costs_two_operations_per_weight_and_four_per_pair_and_head_element() -> None:
    weights = num_parameters(LLAMA_8B) - num_embedding_parameters(LLAMA_8B) / 2
    assert flops_per_token(LLAMA_8B, 1000) == 2 * weights + 32 * 4 * 32 * 128 * 1000


def test_latent_decoding_works_in_the_latent_space() -> None:
    assert flops_per_pair(SMALL_MLA) == 2 * 16 * (64 + 32 + 64)
    assert decode_flops_per_pair(SMALL_MLA) == 2 * 16 * (2 * 128 + 32)
