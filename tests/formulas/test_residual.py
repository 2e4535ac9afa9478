"""Residual tables: exact where measured, bounded between, and they scale what they belong to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.formulas.network.collectives import all_reduce_time
from dcsim.formulas.residual import ResidualTable
from dcsim.formulas.step_time import StepWork, decode_attention_time, floored, step_time, token_time
from tests.formulas.deployments import LLAMA_8B, WIRE, deployment

SITES = np.array([[1024.0, 1024.0], [4096.0, 1024.0], [4096.0, 4096.0], [8192.0, 8192.0]])
ROWS = np.array([1.0, 8.0, 64.0, 512.0])
RATIOS = np.random.default_rng(7).normal(0.0, 0.2, (4, 4))
GEMM = ResidualTable(SITES, (ROWS,), RATIOS)
HEADS = np.array([[32.0, 8.0, 128.0], [8.0, 1.0, 128.0]])
ATTENTION = ResidualTable(
    HEADS, (np.array([1.0, 16.0]), np.array([64.0, 1024.0, 8192.0])), RATIOS[:2, :3, None].repeat(2, 2).mT
)


def constant(factor: float, num_coordinates: int, num_axes: int) -> ResidualTable:
    axes = tuple(np.array([1.0, 1e6]) for _ in range(num_axes))
    return ResidualTable(np.ones((1, num_coordinates)), axes, np.full((1, *(2,) * num_axes), np.log(factor)))


@pytest.mark.parametrize("site", range(4))
@pytest.mark.parametrize("knot", range(4))
def test_a_measured_point_gives_its_own_ratio(site: int, knot: int) -> None:
    factor = GEMM.at(*SITES[site]).factor(ROWS[knot])
    assert factor == pytest.approx(np.exp(RATIOS[site, knot]), rel=1e-3)


@given(st.floats(1, 1e6), st.floats(1, 1e6), st.floats(0.1, 1e7))
def test_no_factor_leaves_the_range_of_what_was_measured(columns: float, inner: float, rows: float) -> None:
    factor = GEMM.at(columns, inner).factor(rows)
    assert np.exp(RATIOS.min()) - 1e-9 <= factor <= np.exp(RATIOS.max()) + 1e-9


def test_the_end_of_an_axis_holds_beyond_it() -> None:
    curve = GEMM.at(1024.0, 1024.0)
    assert curve.factor(1e9) == curve.factor(512.0)
    assert curve.factor(0.5) == curve.factor(1.0)


def test_between_two_knots_the_log_of_the_ratio_is_linear_in_the_log_of_the_axis() -> None:
    curve = GEMM.at(1024.0, 1024.0)
    assert curve.factor(np.sqrt(8.0 * 64.0)) == pytest.approx(np.sqrt(curve.factor(8.0) * curve.factor(64.0)))


def test_two_axes_are_interpolated_each_on_its_own() -> None:
    curve = ATTENTION.at(*HEADS[0])
    corners = [curve.factor(b, c) for b in (1.0, 16.0) for c in (64.0, 1024.0)]
    assert curve.factor(4.0, 256.0) == pytest.approx(np.prod(corners) ** 0.25)


def test_arrays_give_what_their_elements_give() -> None:
    curve = ATTENTION.at(20.0, 4.0, 128.0)
    batch, context = np.array([1.0, 3.0, 40.0]), np.array([10.0, 700.0, 9000.0])
    alone = [float(curve.factor(b, c)) for b, c in zip(batch, context, strict=True)]
    assert np.asarray(curve.factor(batch, context)).tolist() == alone


def test_a_constant_residual_scales_every_product() -> None:
    plain = deployment()
    slow = constant(1.5, 2, 1)
    scaled = replace(plain, gemm=replace(plain.gemm, residual=slow))
    kernels = replace(plain, gemm=replace(plain.gemm, launch_s=0.0, compute_frac=1e9, memory_frac=1e9))
    products_s = token_time(plain, 64.0).total_s - token_time(kernels, 64.0).total_s
    assert token_time(scaled, 64.0).total_s - token_time(plain, 64.0).total_s == pytest.approx(
        0.5 * products_s, rel=1e-6
    )


def test_a_constant_residual_scales_decode_attention_and_all_reduce() -> None:
    plain = deployment()
    scaled = replace(plain, decode=replace(plain.decode, residual=constant(2.0, 3, 2)))
    before, after = (decode_attention_time(d, 8.0, 8000.0).total_s for d in (plain, scaled))
    assert after == pytest.approx(2 * before)
    slow_wire = replace(WIRE, residual=constant(2.0, 1, 1))
    assert all_reduce_time(slow_wire, 4, 1e6) == pytest.approx(2 * all_reduce_time(WIRE, 4, 1e6))


def test_a_step_never_ends_before_the_hosts_floor() -> None:
    plain = deployment()
    work = StepWork(num_tokens=4.0, num_decodes=4.0, decode_context_tokens=4000.0, num_sampled=4.0)
    host_s = float(step_time(plain, work).host_s)
    device_s = float(step_time(plain, work).total_s) - host_s
    high, low = replace(plain, step_floor_s=device_s + 3e-3), replace(plain, step_floor_s=device_s / 2)
    assert step_time(high, work).total_s == pytest.approx(device_s + 3e-3 + host_s)
    assert step_time(high, work).host_s == pytest.approx(3e-3 + host_s)
    assert step_time(low, work) == step_time(plain, work)
    assert floored(plain, step_time(plain, work), 4.0) == step_time(plain, work)


def test_a_step_too_large_for_a_graph_lasts_as_long_as_its_launches() -> None:
    plain = deployment()
    eager = replace(plain, max_graph_tokens=512, eager_operator_s=1e-3)
    small, large = (
        StepWork(num_tokens=n, num_prefill_chunks=1.0, prefill_square=n * n) for n in (512.0, 513.0)
    )
    assert step_time(eager, small) == step_time(plain, small)
    host_s = plain.step_overhead_s
    # a layer of the 8B model: 4 products, 2 norms, rotary, activation, attention; and the embedding
    assert step_time(eager, large).total_s == pytest.approx((32 * 9 + 1) * 1e-3 + host_s)


def test_prompt_chunks_cost_the_host_a_launch_per_layer() -> None:
    plain = deployment()
    eager = replace(plain, prompt_layer_overhead_s=5e-5)
    prompt = StepWork(
        num_tokens=10.0, num_prefill_chunks=2.0, prefill_square=50.0, prefill_context_tokens=10.0
    )
    decode = StepWork(num_tokens=10.0, num_decodes=10.0, decode_context_tokens=100.0)
    added = step_time(eager, prompt).total_s - step_time(plain, prompt).total_s
    assert added == pytest.approx(LLAMA_8B.num_layers * 5e-5)
    assert step_time(eager, decode) == step_time(plain, decode)
