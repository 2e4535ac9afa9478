"""How long one operator takes on one accelerator, on plain floats: products, attention, what lies between."""

from __future__ import annotations

import math
from functools import lru_cache

from dcsim.formulas.residual import ResidualCurve, ResidualTable
from dcsim.formulas.roofline import (
    MAX_TILE_ROWS,
    MIN_TILE_ROWS,
    MIN_WAVE_FILL_FRAC,
    TILE_COLUMNS,
    smooth_max_s,
)
from dcsim.formulas.training.cost import Cost
from dcsim.formulas.training.hardware import Kernel, TrainingHardware

_NUM_CACHED = 1 << 16  # products of a search over plans repeat: the same shapes in thousands of plans


def matmul_flops(rows: float, columns: int, inner: float, num_groups: float, num_compute_units: int) -> float:
    """:func:`dcsim.formulas.roofline.quantized_matmul_flops` on plain floats, some fifteen times as fast."""
    plain = 2.0 * rows * columns * inner
    rows_per_group = rows / max(num_groups, 1.0)
    tile_rows = 2.0 ** math.ceil(math.log2(max(rows_per_group, 1.0)))
    tile_rows = min(max(tile_rows, MIN_TILE_ROWS), MAX_TILE_ROWS)
    num_row_tiles = math.ceil(rows_per_group / tile_rows)
    num_tiles = num_groups * num_row_tiles * -(-columns // TILE_COLUMNS)
    waves = math.ceil(num_tiles / num_compute_units) * num_compute_units
    in_waves = waves * 2.0 * tile_rows * TILE_COLUMNS * inner
    split = num_groups * num_row_tiles * tile_rows * (2.0 * columns * inner / MIN_WAVE_FILL_FRAC)
    return math.sqrt(min(in_waves, split) * plain)


@lru_cache(maxsize=_NUM_CACHED)
def matmul_cost(
    kernel: Kernel, rows: float, columns: int, inner: float, num_groups: float, moved_bytes: float
) -> Cost:
    """Time of (rows x inner) by (inner x columns), the rows in groups with a weight matrix each.

    A roofline with the accelerator's calibrated ceilings, and the residual of its measured kernels: the
    same model as serving's (:mod:`dcsim.formulas.operators`), on plain floats.
    """
    if rows <= 0.0:
        return Cost()
    ceiling = kernel.ceiling
    flops = matmul_flops(rows, columns, inner, num_groups, kernel.num_compute_units)
    compute_s = flops / (kernel.peak_flops_per_s * ceiling.compute_frac)
    memory_s = moved_bytes / (kernel.memory_bytes_per_s * ceiling.memory_frac)
    factor = 1.0
    if ceiling.residual is not None:
        curve = _curve(ceiling.residual, float(columns), float(inner))
        factor = float(curve.factor(max(rows / max(num_groups, 1.0), 1.0)))
    return roofline_cost(compute_s, memory_s, ceiling.launch_s).times(factor)


@lru_cache(maxsize=_NUM_CACHED)
def attention_cost(
    kernel: Kernel, heads: tuple[int, int, int], sequence: tuple[float, float, float], flops: float
) -> Cost:
    """Time of the forward pass of fused attention.

    ``heads`` are query heads, key-value heads and head size; ``sequence`` the length, the number of
    sequences and the bytes moved; ``flops`` the operations that the kernel executes, causal half included.
    """
    ceiling, (length, count, moved_bytes) = kernel.ceiling, sequence
    compute_s = flops / (kernel.peak_flops_per_s * ceiling.compute_frac)
    memory_s = moved_bytes / (kernel.memory_bytes_per_s * ceiling.memory_frac)
    factor = 1.0
    if ceiling.residual is not None:
        factor = float(ceiling.residual.at(*heads).factor(max(length, 1.0), max(count, 1.0)))
    return roofline_cost(compute_s, memory_s, ceiling.launch_s).times(factor)


def streaming_cost(hardware: TrainingHardware, moved_bytes: float) -> Cost:
    """Time of kernels on large tensors that only move memory."""
    return Cost(memory_s=moved_bytes / hardware.streaming_bytes_per_s)


def roofline_cost(compute_s: float, memory_s: float, launch_s: float) -> Cost:
    """Compute and memory at once, shared out by their fourth powers: see ``roofline.smooth_max``."""
    if compute_s <= 0.0 and memory_s <= 0.0:
        return Cost(launch_s=launch_s)
    total_s = smooth_max_s(compute_s, memory_s)
    share = (compute_s / total_s) ** 4
    return Cost(total_s * share, total_s * (1.0 - share), launch_s)


@lru_cache(maxsize=_NUM_CACHED)
def _curve(table: ResidualTable, columns: float, inner: float) -> ResidualCurve:
    return table.at(columns, inner)
