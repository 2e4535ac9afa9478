"""Matrix products of a layer: their weights, and their time on plain floats."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.formulas.roofline import quantized_matmul_flops
from dcsim.formulas.training.operator_time import matmul_flops
from dcsim.formulas.training.products import layer_products, num_routed_rows
from dcsim.formulas.transformer import num_embedding_parameters, num_parameters
from tests.formulas.training.plans import DEEPSEEK, GPT3, LLAMA_8B, MIXTRAL, plan


@given(
    rows=st.floats(1, 1e6),
    columns=st.integers(1, 200_000),
    inner=st.integers(1, 200_000),
    groups=st.integers(1, 256),
)
def test_the_plain_form_of_tiles_and_waves_is_that_of_arrays(
    rows: float, columns: int, inner: int, groups: int
) -> None:
    expected = quantized_matmul_flops(rows, columns, inner, num_groups=float(groups), num_compute_units=132)
    assert matmul_flops(rows, columns, inner, float(groups), 132) == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize("shape", [GPT3, LLAMA_8B, MIXTRAL, DEEPSEEK])
def test_the_products_of_all_layers_hold_all_weights_but_the_embedding(shape: object) -> None:
    one = plan(shape=shape)
    held = one.shape.num_layers * sum(product.num_parameters for product in layer_products(one, one.shape))
    assert held == pytest.approx(num_parameters(one.shape) - num_embedding_parameters(one.shape), rel=1e-9)


@pytest.mark.parametrize("tensor", [2, 4, 8])
def test_tensor_ranks_share_out_the_operations(tensor: int) -> None:
    whole, part = plan(), plan(tensor=tensor)
    flops = [sum(p.flops for p in layer_products(one, one.shape)) for one in (whole, part)]
    assert flops[1] == pytest.approx(flops[0] / tensor)


@pytest.mark.parametrize(("tensor", "expert_tensor"), [(1, 1), (4, 1), (4, 4)])
def test_routed_rows_of_all_ranks_are_the_tokens_times_their_experts(tensor: int, expert_tensor: int) -> None:
    one = plan(shape=MIXTRAL, tensor=tensor, expert_tensor=expert_tensor, has_sequence_parallelism=tensor > 1)
    rows = num_routed_rows(one, MIXTRAL) * tensor / expert_tensor
    assert rows == pytest.approx(one.num_micro_tokens * 2)
