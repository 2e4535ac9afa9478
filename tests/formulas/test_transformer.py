"""Parameters and operations of transformers."""

import pytest

from dcsim.formulas.transformer import (
    decode_flops_per_pair,
    flops_per_pair,
    num_active_parameters,
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


def test_latent_decoding_works_in_the_latent_space() -> None:
    assert flops_per_pair(SMALL_MLA) == 2 * 16 * (64 + 32 + 64)
    assert decode_flops_per_pair(SMALL_MLA) == 2 * 16 * (2 * 128 + 32)
