"""Step time: laws that hold whatever the constants."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.formulas.datatypes import Datatype
from dcsim.formulas.step_time import (
    StepTime,
    StepWork,
    decode_attention_time,
    prefill_attention_time,
    sampling_time,
    step_bytes,
    step_flops,
    step_time,
    token_time,
)
from dcsim.formulas.transformer import (
    TransformerShape,
    flops_per_pair,
    num_active_parameters,
    num_embedding_parameters,
    num_parameters,
)
from tests.formulas.deployments import LLAMA_8B, MIXTRAL, SMALL_MLA, deployment

SHAPES = [LLAMA_8B, MIXTRAL, SMALL_MLA]


def decodes(num: float, context: float) -> StepWork:
    return StepWork(num_tokens=num, num_decodes=num, decode_context_tokens=num * context, num_sampled=num)


def prompt(num: float) -> StepWork:
    return StepWork(
        num_tokens=num,
        num_prefill_chunks=1,
        prefill_square=num * num,
        prefill_context_tokens=num,
        num_sampled=1,
    )


@given(st.integers(1, 512), st.floats(1, 1e6), st.floats(1, 1e6), st.floats(0, 1))
def test_decode_attention_is_affine_in_the_context(num: int, low: float, high: float, share: float) -> None:
    d = deployment()
    mixed = decode_attention_time(d, num, share * low + (1 - share) * high).total_s
    ends = [decode_attention_time(d, num, context).total_s for context in (low, high)]
    assert mixed == pytest.approx(share * ends[0] + (1 - share) * ends[1], rel=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
def test_no_work_takes_no_time_but_the_hosts(shape: TransformerShape) -> None:
    d = deployment(shape, tensor=2, pipeline=2)
    assert step_time(d, StepWork()).total_s == d.step_overhead_s


@pytest.mark.parametrize("shape", SHAPES)
def test_the_parts_of_a_step_add_up(shape: TransformerShape) -> None:
    d, work = deployment(shape, tensor=4), decodes(64, 500)
    parts = token_time(d, 64) + sampling_time(d, 64) + decode_attention_time(d, 64, 32000)
    assert step_time(d, work).total_s == pytest.approx(
        parts.total_s + d.step_overhead_s + 64 * d.sequence_overhead_s
    )


def test_times_add_cause_by_cause() -> None:
    total = StepTime(1, 2, 3, 4, 5) + StepTime(10, 20, 30, 40, 50)
    assert [getattr(total, field.name) for field in fields(total)] == [11, 22, 33, 44, 55]
    assert total.total_s == 165


@pytest.mark.parametrize("shape", SHAPES)
def test_arrays_give_what_their_elements_give(shape: TransformerShape) -> None:
    d = deployment(shape, tensor=2)
    together = token_time(d, np.array([0.0, 1.0, 7.0, 300.0])).total_s
    assert list(together) == pytest.approx([token_time(d, n).total_s for n in (0.0, 1.0, 7.0, 300.0)])


@pytest.mark.parametrize("shape", SHAPES)
def test_more_tokens_never_take_less_memory_time_than_the_weights(shape: TransformerShape) -> None:
    d = deployment(shape)
    seconds = token_time(d, 1.0).total_s
    assert seconds > 0.2 * step_bytes(d, StepWork(num_tokens=1)) / d.memory_bytes_per_s
    assert token_time(d, 8192.0).total_s > token_time(d, 4096.0).total_s > token_time(d, 1024.0).total_s


def test_a_single_decode_reads_the_weights_at_the_memory_ceiling() -> None:
    d = deployment()
    time = step_time(d, decodes(1, 1))
    weights = 2 * (num_parameters(LLAMA_8B) - LLAMA_8B.vocab_size * LLAMA_8B.hidden_size)
    assert time.memory_s == pytest.approx(weights / (d.memory_bytes_per_s * d.gemm.memory_frac), rel=0.02)


def test_a_long_prompt_runs_near_the_compute_ceiling() -> None:
    d = deployment()
    time = step_time(d, prompt(8192))
    ideal_s = step_flops(d, prompt(8192)) / (d.peak_flops_per_s * d.gemm.compute_frac)
    assert ideal_s < time.total_s < 1.5 * ideal_s


def test_a_prompt_in_chunks_meets_as_many_pairs_as_in_one_piece() -> None:
    d = deployment()
    whole = prefill_attention_time(d, 1, 0, 4096**2, 4096)
    halves = [
        prefill_attention_time(d, 1, 0, 2048**2, 2048),
        prefill_attention_time(d, 1, 2048**2, 2048**2, 4096),
    ]
    assert halves[0].compute_s + halves[1].compute_s == pytest.approx(whole.compute_s, rel=0.05)


@pytest.mark.parametrize("shape", SHAPES)
def test_model_operations_are_two_per_weight_and_the_causal_pairs(shape: TransformerShape) -> None:
    """Kaplan et al. 2020, arXiv:2001.08361, section 2.1; the embedding is a look-up."""
    weights = num_active_parameters(shape) - num_embedding_parameters(shape) / 2
    per_token = (
        2 * weights + shape.num_layers * flops_per_pair(shape) * 50.0
    )  # 100 tokens attend to 50 on average
    work = replace(prompt(100), num_sampled=100)
    assert step_flops(deployment(shape), work) == pytest.approx(100 * per_token, rel=1e-3)


def test_accelerators_share_the_operations() -> None:
    assert (
        step_flops(deployment(tensor=4, pipeline=2), prompt(64)) == step_flops(deployment(), prompt(64)) / 8
    )


def test_a_decode_step_reads_weights_and_cache_once() -> None:
    d = deployment()
    weights = 2 * (num_parameters(LLAMA_8B) - LLAMA_8B.vocab_size * LLAMA_8B.hidden_size)
    cache = 64 * 4000 * 131072
    assert step_bytes(d, decodes(64, 4000)) == pytest.approx(weights + cache, rel=0.03)


def test_tensor_parallelism_trades_memory_time_for_network_time() -> None:
    one, four = (step_time(deployment(tensor=n), decodes(32, 1000)) for n in (1, 4))
    assert four.memory_s < one.memory_s / 3
    assert one.network_s == 0.0
    assert four.network_s > 2 * LLAMA_8B.num_layers * 5e-6


def test_narrow_activations_add_a_quantisation_kernel_per_layer() -> None:
    wide = deployment()
    narrow = replace(wide, activations=Datatype.FP8, weights=Datatype.FP8)
    extra = token_time(narrow, 1.0).launch_s - token_time(wide, 1.0).launch_s
    assert extra == pytest.approx(LLAMA_8B.num_layers * wide.elementwise.launch_s)


def test_skewed_experts_slow_the_busiest_rank_under_load() -> None:
    balanced = deployment(MIXTRAL, tensor=8, expert=8)
    skewed = replace(balanced, expert_skew=0.8)
    assert token_time(skewed, 4096.0).total_s > 1.5 * token_time(balanced, 4096.0).total_s
