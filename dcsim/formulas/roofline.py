"""Rooflines with calibrated ceilings: how long one operator computes and moves memory."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = float | npt.NDArray[np.float64]

TILE_COLUMNS = 128
MIN_TILE_ROWS = 16
MAX_TILE_ROWS = 128
MIN_WAVE_FILL_FRAC = 0.35  # kernels split the inner dimension (split-K) rather than fill less of the device


def smooth_max(compute_s: Floats, memory_s: Floats) -> tuple[Floats, Floats]:
    """Time of an operator that computes and moves memory at once, split into its two causes.

    t = (t_c^4 + t_m^4)^(1/4), shared out in proportion t_c^4 : t_m^4. Where both are equal the operator
    takes 19 % longer than either alone: near the ridge of the roofline (Williams, Waterman, Patterson,
    "Roofline", CACM 52(4), 2009) the overlap is not perfect. Range: non-negative times.

    >>> smooth_max(3.0, 0.0)
    (3.0, 0.0)
    """
    larger = np.maximum(compute_s, memory_s)
    scale = np.where(larger > 0.0, larger, 1.0)  # an operator without work takes no time
    compute_2, memory_2 = (compute_s / scale) ** 2, (memory_s / scale) ** 2
    compute_4, memory_4 = compute_2 * compute_2, memory_2 * memory_2
    total_4 = np.where(larger > 0.0, compute_4 + memory_4, 1.0)
    share = scale * np.sqrt(np.sqrt(total_4)) / total_4
    if np.ndim(share) == 0:
        return float(compute_4 * share), float(memory_4 * share)
    return compute_4 * share, memory_4 * share


def smooth_max_s(compute_s: float, memory_s: float) -> float:
    """The sum of the two shares of :func:`smooth_max`, for single numbers in hot paths."""
    compute_2, memory_2 = compute_s * compute_s, memory_s * memory_s
    return math.sqrt(math.sqrt(compute_2 * compute_2 + memory_2 * memory_2))


def quantized_matmul_flops(
    num_rows: Floats, num_columns: int, inner_size: int, *, num_groups: Floats = 1.0, num_compute_units: int
) -> Floats:
    """Operations whose time a matrix product takes, whole tiles and whole waves of tiles counted in part.

    (rows x inner) by (inner x columns), the rows in ``num_groups`` equal groups with a weight matrix each
    (a grouped product), is cut into tiles of 128 columns and 16 to 128 rows; tiles run in waves of one per
    compute unit, and a partly filled tile or wave costs as much as a full one (NVIDIA, "Matrix
    Multiplication Background User's Guide", tile and wave quantization). Kernels win about half of that
    back by other tile shapes and split-K: the geometric mean of the padded and the plain count fits
    measured tables best. Held-out median error with three further parameters: 4.8 % H100 bf16, 5.3 %
    A100 bf16, 6.2 % B200 bf16; without waves 4.2, 7.8 and 5.7 % (fits on the NVIDIA AIConfigurator 0.12
    tables, 30 % of the weight shapes held out).
    """
    plain = 2.0 * num_rows * num_columns * inner_size
    rows_per_group = num_rows / np.maximum(num_groups, 1.0)
    power_of_two = 2.0 ** np.ceil(np.log2(np.maximum(rows_per_group, 1.0)))
    tile_rows = np.clip(power_of_two, MIN_TILE_ROWS, MAX_TILE_ROWS)
    num_row_tiles = np.ceil(rows_per_group / tile_rows)
    num_tiles = num_groups * num_row_tiles * -(-num_columns // TILE_COLUMNS)
    waves = np.ceil(num_tiles / num_compute_units) * num_compute_units
    in_waves = waves * 2.0 * tile_rows * TILE_COLUMNS * inner_size
    split = num_groups * num_row_tiles * tile_rows * (2.0 * num_columns * inner_size / MIN_WAVE_FILL_FRAC)
    quantized: Floats = np.sqrt(np.minimum(in_waves, split) * plain)
    return quantized


def matmul_bytes(
    num_rows: Floats,
    num_columns: int,
    inner_size: int,
    *,
    num_groups: Floats = 1.0,
    weight_bytes: float,
    input_bytes: float,
    output_bytes: float,
) -> Floats:
    """Memory traffic of a matrix product: each group's weights once, the inputs once, the outputs once."""
    weights = num_groups * (num_columns * inner_size * weight_bytes)
    return weights + num_rows * (inner_size * input_bytes + num_columns * output_bytes)
