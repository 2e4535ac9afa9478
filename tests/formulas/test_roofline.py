"""The roofline and tile quantisation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.formulas.roofline import matmul_bytes, quantized_matmul_flops, smooth_max

TIMES = st.just(0.0) | st.floats(min_value=1e-15, max_value=1e3)


@given(TIMES, TIMES)
def test_the_smooth_maximum_lies_between_the_maximum_and_19_percent_more(a: float, b: float) -> None:
    total = sum(smooth_max(a, b))
    assert max(a, b) * (1 - 1e-12) <= total <= max(a, b) * 2**0.25 * (1 + 1e-12)


@given(TIMES, TIMES, st.floats(min_value=1e-6, max_value=1e6))
def test_the_smooth_maximum_scales(a: float, b: float, factor: float) -> None:
    assert sum(smooth_max(a * factor, b * factor)) == pytest.approx(factor * sum(smooth_max(a, b)))


def test_equal_times_are_shared_out_equally() -> None:
    compute, memory = smooth_max(2.0, 2.0)
    assert compute == memory == pytest.approx(2.0**0.25)


def test_an_array_gives_what_its_elements_give() -> None:
    compute, memory = smooth_max(np.array([0.0, 1.0, 3.0]), np.array([0.0, 2.0, 1.0]))
    assert [compute[1], memory[1]] == pytest.approx(smooth_max(1.0, 2.0))
    assert compute[0] == memory[0] == 0.0


def test_whole_tiles_in_whole_waves_cost_their_plain_operations() -> None:
    plain = 2.0 * 128 * (128 * 100) * 512
    assert quantized_matmul_flops(128.0, 128 * 100, 512, num_compute_units=100) == pytest.approx(plain)


def test_one_tile_too_many_costs_half_a_wave_more_in_logarithm() -> None:
    full = quantized_matmul_flops(128.0, 128 * 100, 512, num_compute_units=100)
    over = quantized_matmul_flops(128.0, 128 * 101, 512, num_compute_units=100)
    assert over / full == pytest.approx((2 * 1.01) ** 0.5)


def test_no_rows_cost_nothing() -> None:
    assert quantized_matmul_flops(0.0, 4096, 4096, num_groups=0.0, num_compute_units=132) == 0.0


@given(st.integers(1, 8192), st.integers(1, 20000))
def test_quantisation_never_makes_work_cheaper_nor_much_dearer_than_split_kernels(
    rows: int, columns: int
) -> None:
    plain = 2.0 * rows * columns * 1024
    quantized = quantized_matmul_flops(float(rows), columns, 1024, num_compute_units=132)
    smallest_tiles = 16 * -(-rows // 16) * 128 * -(-columns // 128) / (rows * columns)
    assert plain * (1 - 1e-9) <= quantized
    assert quantized <= plain * (smallest_tiles * 8 / 0.35) ** 0.5


def test_a_product_reads_each_matrix_once_and_writes_its_result() -> None:
    moved = matmul_bytes(10.0, 20, 30, weight_bytes=1.0, input_bytes=2.0, output_bytes=4.0)
    assert moved == 20 * 30 * 1 + 10 * 30 * 2 + 10 * 20 * 4
