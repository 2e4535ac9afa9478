"""Weights and KV cache per accelerator."""

from dataclasses import replace

import pytest

from dcsim.formulas.datatypes import Datatype
from dcsim.formulas.memory import (
    MemoryFit,
    activation_bytes,
    kv_bytes_per_token,
    kv_bytes_per_token_per_accelerator,
    weight_bytes_per_accelerator,
)
from dcsim.formulas.transformer import TransformerShape, num_embedding_parameters, num_parameters
from tests.formulas.deployments import LLAMA_8B, MIXTRAL, SMALL_MLA, deployment


@pytest.mark.parametrize("shape", [LLAMA_8B, MIXTRAL, SMALL_MLA])
def test_one_accelerator_holds_all_parameters(shape: TransformerShape) -> None:
    assert weight_bytes_per_accelerator(deployment(shape)) == pytest.approx(
        2 * num_parameters(shape), rel=1e-3
    )


def test_tensor_ranks_share_the_weights() -> None:
    whole = weight_bytes_per_accelerator(deployment())
    assert weight_bytes_per_accelerator(deployment(tensor=8)) == pytest.approx(whole / 8, rel=1e-3)


def test_pipeline_stages_hold_their_layers_and_one_of_the_tables() -> None:
    table = num_embedding_parameters(LLAMA_8B)  # two bytes for one of two tables
    layers = weight_bytes_per_accelerator(deployment()) - 2 * table
    assert weight_bytes_per_accelerator(deployment(pipeline=4)) == pytest.approx(layers / 4 + table)


def test_expert_parallelism_leaves_the_share_of_each_rank_as_it_is() -> None:
    tensor = weight_bytes_per_accelerator(deployment(MIXTRAL, tensor=8))
    assert weight_bytes_per_accelerator(deployment(MIXTRAL, tensor=8, expert=8)) == pytest.approx(tensor)


def test_quantised_weights_leave_the_tables_in_16_bits() -> None:
    table = 2 * num_embedding_parameters(LLAMA_8B)
    narrow = weight_bytes_per_accelerator(replace(deployment(), weights=Datatype.FP8))
    assert narrow == pytest.approx((weight_bytes_per_accelerator(deployment()) - table) / 2 + table, rel=1e-3)


def test_the_fullest_of_several_stages_has_no_light_layers() -> None:
    """One of four layers is dense: of two stages the second has two layers with experts."""
    table = 32000 * 1024 * 2.0
    one, two = (weight_bytes_per_accelerator(deployment(SMALL_MLA, pipeline=n)) for n in (1, 2))
    four = weight_bytes_per_accelerator(deployment(SMALL_MLA, pipeline=4))  # one layer, with experts
    dense = one - 2 * table - 3 * (four - table)
    assert dense < four - table
    assert two - table == pytest.approx(2 * (four - table))


def test_kv_heads_are_copied_beyond_their_number_of_ranks() -> None:
    per_head = 32 * 2 * 128 * 2
    assert kv_bytes_per_token(deployment()) == 8 * per_head
    assert kv_bytes_per_token(deployment(tensor=8)) == per_head
    assert kv_bytes_per_token(deployment(tensor=16)) == per_head


def test_the_latent_and_one_rotary_key_are_copied_to_every_rank() -> None:
    assert kv_bytes_per_token(deployment(SMALL_MLA)) == 4 * (128 + 32) * 2
    assert kv_bytes_per_token(deployment(SMALL_MLA, tensor=8)) == kv_bytes_per_token(deployment(SMALL_MLA))


def test_a_stage_caches_its_own_layers() -> None:
    assert kv_bytes_per_token_per_accelerator(deployment(pipeline=4)) == kv_bytes_per_token(deployment()) / 4


def test_activations_grow_with_the_tokens_of_a_step() -> None:
    assert activation_bytes(deployment(), 8192, 1) == pytest.approx(
        8 * activation_bytes(deployment(), 1024, 1)
    )


def test_only_whole_blocks_count() -> None:
    memory = MemoryFit(100.0, 10.0, 5.0, 5.0, kv_bytes=79.0, kv_bytes_per_token=1.0)
    assert memory.num_blocks(16) == 4
    assert replace(memory, kv_bytes=-1.0).num_blocks(16) == 0
