"""What stands between products: its traffic, what is computed again of it, gradients that are added up."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.formulas.training.activations import layer_activation_bytes
from dcsim.formulas.training.between import recomputed_bytes, traffic_between
from dcsim.formulas.training.choices import RecomputedModule
from dcsim.formulas.training.layer import head_costs, layer_costs
from dcsim.formulas.training.memory import rank_memory
from dcsim.formulas.training.software import SoftwareFacts
from dcsim.formulas.training.step import training_step
from tests.formulas.training.plans import DEEPSEEK, GPT3, HARDWARE, LLAMA_8B, MIXTRAL, SOFTWARE, gpt3, plan

OF_2021 = SoftwareFacts(has_flash_attention=False)
MODULES = st.frozensets(st.sampled_from(list(RecomputedModule)))


@pytest.mark.parametrize("tensor", [1, 4, 8])
def test_traffic_of_a_gpt_is_what_counting_its_kernels_gives(tensor: int) -> None:
    one = gpt3(tensor=tensor)
    found, per_element = traffic_between(one, GPT3, OF_2021), one.num_micro_tokens * 12288
    assert found.forward == pytest.approx((22 + 20 / tensor) * per_element)
    assert found.backward == pytest.approx((46 + 54 / tensor) * per_element)


def test_traffic_of_a_gated_model_is_what_counting_its_kernels_gives() -> None:
    found, tokens = traffic_between(plan(), LLAMA_8B, SOFTWARE), plan().num_micro_tokens
    heads, joined = 4096 + 1024, 4096 + 2 * 1024
    assert found.forward == pytest.approx(2 * tokens * (10 * 4096 + 2 * heads + 3 * 14336))
    assert found.backward == pytest.approx(2 * tokens * (12 * 4096 + 2 * heads + 2 * joined + 5 * 14336))


def test_sequence_parallelism_splits_all_of_it() -> None:
    whole, split = (
        traffic_between(one, LLAMA_8B, SOFTWARE)
        for one in (plan(), plan(tensor=8, has_sequence_parallelism=True))
    )
    assert split.forward == pytest.approx(whole.forward / 8)


def test_rows_of_several_experts_that_came_one_by_one_are_sorted_twice() -> None:
    once = SoftwareFacts(sends_tokens_once=True)
    one = plan(shape=MIXTRAL, data=4, expert=4)
    more = traffic_between(one, MIXTRAL, SOFTWARE).forward - traffic_between(one, MIXTRAL, once).forward
    rows = 2 * one.num_micro_tokens
    assert more == pytest.approx(rows * 4 * 2 * 4096)
    alone = plan(shape=MIXTRAL, data=8, expert=8)  # an expert to each rank
    assert traffic_between(alone, MIXTRAL, SOFTWARE) == traffic_between(alone, MIXTRAL, once)


def test_norms_computed_again_are_read_and_written_once_more() -> None:
    one = plan(recomputed_modules=frozenset([RecomputedModule.NORMS]))
    assert recomputed_bytes(one) == 2 * 2 * 2 * 4096 * one.num_micro_tokens
    again = layer_costs(one, HARDWARE, SOFTWARE).recompute
    assert again.memory_s == pytest.approx(recomputed_bytes(one) / HARDWARE.streaming_bytes_per_s)
    assert again.compute_s == 0.0


@given(chosen=MODULES, shape=st.sampled_from([LLAMA_8B, MIXTRAL, DEEPSEEK]))
def test_modules_computed_again_cost_time_and_save_memory(
    chosen: frozenset[RecomputedModule], shape: object
) -> None:
    bare, again = plan(shape=shape), plan(shape=shape, recomputed_modules=chosen)
    assert training_step(again, HARDWARE, SOFTWARE).total_s >= training_step(bare, HARDWARE, SOFTWARE).total_s
    assert layer_activation_bytes(again, SOFTWARE) <= layer_activation_bytes(bare, SOFTWARE)
    assert layer_activation_bytes(again, SOFTWARE) > 0.0


def test_projections_of_latent_attention_are_computed_again_from_their_ranks() -> None:
    one = plan(shape=DEEPSEEK, recomputed_modules=frozenset([RecomputedModule.LATENT_UP]))
    again = layer_costs(one, HARDWARE, SOFTWARE).recompute
    flops = 2 * one.num_micro_tokens * (1536 * 128 * 192 + 512 * 128 * 256)
    assert flops / 0.8e15 <= again.total_s <= flops / 0.8e15 + 1.2 * again.memory_s + again.launch_s


def test_gradients_added_by_kernels_of_their_own_are_read_and_written_once_more() -> None:
    apart = SoftwareFacts(fuses_accumulation=False, gradient_bytes=4.0)
    fused = SoftwareFacts(gradient_bytes=2.0)  # 16 bits, as what the product alone would write
    few, many = (layer_costs(plan(), HARDWARE, facts).weight_backward for facts in (fused, apart))
    weights = 4096 * (4096 + 2048 + 4096 + 3 * 14336)
    added_s = weights * (2 + 4 + 4) / HARDWARE.streaming_bytes_per_s
    assert many.total_s - few.total_s == pytest.approx(added_s, rel=0.01)


def test_the_loss_moves_so_many_bytes_per_logit() -> None:
    one = plan()
    few, many = (head_costs(one, HARDWARE, SoftwareFacts(loss_bytes=size)).total for size in (10.0, 52.0))
    logits = one.num_micro_tokens * 128256
    assert many.memory_s - few.memory_s == pytest.approx(42 * logits / HARDWARE.streaming_bytes_per_s)


@given(layers=st.integers(1, 200), pipeline=st.integers(2, 32), chunks=st.integers(1, 8))
def test_full_stages_and_the_last_one_hold_all_layers(layers: int, pipeline: int, chunks: int) -> None:
    one = plan(shape=replace(LLAMA_8B, num_layers=layers), pipeline=pipeline, virtual_stages=chunks)
    held = (pipeline - 1) * one.num_stage_layers + one.num_last_layers
    assert held == layers or (pipeline - 1) * one.num_stage_layers >= layers
    assert one.num_stage_layers >= layers / pipeline
    assert one.num_stage_layers % chunks == 0


def test_contexts_gathered_at_once_take_memory_for_all_query_heads() -> None:
    one = plan(num_sequence_tokens=65536, context=4, num_sequences=1)
    ring, whole = (
        rank_memory(one, SoftwareFacts(repeats_keys=gathers), 80e9).gathered_bytes
        for gathers in (False, True)
    )
    assert whole - ring == 65536 * 2 * 4096 * 2
