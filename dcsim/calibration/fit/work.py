"""What a measured point costs by dcsim's own formulas: the times at an accelerator's peaks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dcsim.calibration.fit.points import OperatorPoints
from dcsim.catalog.accelerator import Accelerator
from dcsim.catalog.link import Link
from dcsim.errors import Problem, ScenarioError
from dcsim.formulas.datatypes import WEIGHT_ONLY, Datatype
from dcsim.formulas.deployment import Wire
from dcsim.formulas.network.collectives import all_reduce_time
from dcsim.formulas.roofline import matmul_bytes, quantized_matmul_flops, smooth_max
from dcsim.formulas.step_time import PrefillCosts, prompt_equivalent_tokens
from dcsim.formulas.transformer import (
    TransformerShape,
    decode_flops_per_pair,
    flops_per_pair,
    kv_elements_per_token,
)

_Array = npt.NDArray[np.float64]
CAUSAL_SQUARE_FRAC = 0.5  # ideal; what a kernel computes beyond it is part of the fitted compute share


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """Times at the peaks, parts x points: an operator is one kernel, experts are two.

    ``launches`` is how many launches a part counts (less than one where less than a row is there).
    """

    launches: _Array
    compute_s: _Array
    memory_s: _Array

    def seconds(self, launch_s: float, compute_frac: float, memory_frac: float) -> _Array:
        """The formula's times: launch + (t_c^4 + t_m^4)^(1/4), summed over the parts."""
        compute_s, memory_s = smooth_max(self.compute_s / compute_frac, self.memory_s / memory_frac)
        total: _Array = (self.launches * launch_s + compute_s + memory_s).sum(axis=0)
        return total

    def where(self, mask: npt.NDArray[np.bool_]) -> Work:
        """The work of the points of a mask."""
        return Work(self.launches[:, mask], self.compute_s[:, mask], self.memory_s[:, mask])


def work_of(points: OperatorPoints, accelerator: Accelerator) -> Work:
    """The work of measured points on an accelerator. Every operator but the collectives has one."""
    operator, _, name = points.key.partition(".")
    datatype = Datatype(name) if name else Datatype.BF16
    return _WORK[operator](points, datatype, accelerator)


def table_axes(points: OperatorPoints) -> _Array:
    """Where the points lie on the axes of the residual table.

    Prefill: the prompt that attends to as many pairs as the chunk and its cached context; all others: as
    measured.
    """
    if points.cached_tokens is None or not points.key.startswith("attention_prefill"):
        return points.axes
    chunk, count = points.axes.T
    equivalent = prompt_equivalent_tokens(count, count * chunk * points.cached_tokens, count * chunk**2)
    return np.column_stack([equivalent, count])


def all_reduce_seconds(points: OperatorPoints, link: Link) -> _Array:
    """The formula's times of all-reduces over a link."""
    wire = Wire(
        bytes_per_s=link.bytes_per_s,
        achievable_frac=link.achievable_frac,
        base_s=link.base_s,
        hop_s=link.hop_s,
        has_in_network_reduction=link.has_in_network_reduction,
    )
    seconds = np.empty(len(points))
    for num_ranks in np.unique(points.sites[:, 0]):
        rows = points.sites[:, 0] == num_ranks
        seconds[rows] = all_reduce_time(wire, int(num_ranks), points.axes[rows, 0])
    return seconds


def _gemm(points: OperatorPoints, datatype: Datatype, accelerator: Accelerator) -> Work:
    flops, moved = _product(points, datatype, accelerator, points.sites[:, :2], points.axes[:, 0], None)
    return Work(np.ones((1, len(points))), flops[None], moved[None])


def _grouped_gemm(points: OperatorPoints, datatype: Datatype, accelerator: Accelerator) -> Work:
    """Gate and up together, then down; gated experts.

    Balanced routing deals the tokens' choices out to the experts in turn: as many are awake as there are
    choices, up to all of them. That is more than chance wakes, which is what a deployment is charged for
    (formulas/moe.py).
    """
    hidden, ffn, experts, per_token = points.sites.T
    rows = points.axes[:, 0] * per_token
    active = np.minimum(experts, np.maximum(rows, 1.0))
    if not points.has_even_routing:
        active = experts * (1.0 - (1.0 - per_token / experts) ** points.axes[:, 0])
    sizes = (np.column_stack([2 * ffn, hidden]), np.column_stack([hidden, ffn]))
    parts = [_product(points, datatype, accelerator, size, rows, active) for size in sizes]
    launches = np.broadcast_to(np.minimum(rows, 1.0), (2, len(points)))
    return Work(launches, np.stack([part[0] for part in parts]), np.stack([part[1] for part in parts]))


def _product(
    points: OperatorPoints,
    datatype: Datatype,
    accelerator: Accelerator,
    sizes: _Array,
    rows: _Array,
    groups: _Array | None,
) -> tuple[_Array, _Array]:
    """Times of matrix products at the peaks of compute and of memory."""
    compute_s, memory_s = np.empty(len(points)), np.empty(len(points))
    activations = Datatype.BF16 if datatype in WEIGHT_ONLY else datatype
    for columns, inner in np.unique(sizes, axis=0):
        same = (sizes[:, 0] == columns) & (sizes[:, 1] == inner)
        num_groups = 1.0 if groups is None else groups[same]
        compute_s[same] = quantized_matmul_flops(
            rows[same],
            int(columns),
            int(inner),
            num_groups=num_groups,
            num_compute_units=accelerator.num_compute_units,
        )
        memory_s[same] = matmul_bytes(
            rows[same],
            int(columns),
            int(inner),
            num_groups=num_groups,
            weight_bytes=datatype.num_bytes,
            input_bytes=activations.num_bytes,
            output_bytes=_wide_bytes(activations),
        )
    if activations not in accelerator.peak_flops_per_s:
        message = f"{accelerator.name} has no {activations}, but the tables have times of it"
        raise ScenarioError(Problem(message, remedy="Name the accelerator that they were measured on"))
    peak = accelerator.peak_flops_per_s[activations]
    return compute_s / peak, memory_s / accelerator.memory_bytes_per_s


def _attention_decode(points: OperatorPoints, cache: Datatype, accelerator: Accelerator) -> Work:
    batch, context = points.axes.T
    tokens = batch * context
    compute_s, memory_s = np.empty(len(points)), np.empty(len(points))
    sites, index = points.site_index()
    for number, site in enumerate(sites):
        shape, same = _attention_shape(site), index == number
        compute_s[same] = tokens[same] * decode_flops_per_pair(shape)
        memory_s[same] = tokens[same] * _kv_bytes(shape, cache)
    compute_s /= _wide_peak(accelerator, cache)
    return Work(np.ones((1, len(points))), compute_s[None], memory_s[None] / accelerator.memory_bytes_per_s)


def _attention_prefill(points: OperatorPoints, cache: Datatype, accelerator: Accelerator) -> Work:
    chunk, count = points.axes.T
    cached = np.zeros(len(points)) if points.cached_tokens is None else points.cached_tokens
    compute_s, memory_s = np.empty(len(points)), np.empty(len(points))
    bytes_per_s, peak = accelerator.memory_bytes_per_s, _wide_peak(accelerator, cache)
    sites, index = points.site_index()
    for number, site in enumerate(sites):
        shape, same = _attention_shape(site), index == number
        costs = PrefillCosts(
            compute_s_per_pair=flops_per_pair(shape) / peak,
            memory_s_per_context_token=_kv_bytes(shape, cache) / bytes_per_s,
            memory_s_per_query_token=2.0 * site[0] * site[2] * _wide_bytes(cache) / bytes_per_s,
            launch_s=0.0,
            causal_square_frac=CAUSAL_SQUARE_FRAC,
        )
        num, length, before = count[same], chunk[same], cached[same]
        compute_s[same], memory_s[same] = costs.parts_s(
            num, num * length * before, num * length**2, num * (length + before)
        )
    return Work(np.ones((1, len(points))), compute_s[None], memory_s[None])


def _elementwise(points: OperatorPoints, _: Datatype, accelerator: Accelerator) -> Work:
    moved = points.sites[:, 0] * points.axes[:, 0] / accelerator.memory_bytes_per_s
    return Work(np.ones((1, len(points))), np.zeros((1, len(points))), moved[None])


def _attention_shape(site: _Array) -> TransformerShape:
    heads, kv_heads, head_size = (int(size) for size in site)
    return TransformerShape(1, heads * head_size, heads, kv_heads, head_size, 1, 1)


def _kv_bytes(shape: TransformerShape, cache: Datatype) -> float:
    return kv_elements_per_token(shape, shape.num_kv_heads) * cache.num_bytes


def _wide_bytes(datatype: Datatype) -> float:
    return 4.0 if datatype is Datatype.FP32 else 2.0


def _wide_peak(accelerator: Accelerator, cache: Datatype) -> float:
    """The peak that attention runs at: 16 bits, or 32 where the cache is that wide."""
    peaks = accelerator.peak_flops_per_s
    order = (Datatype.FP32,) if cache is Datatype.FP32 else (Datatype.BF16, Datatype.FP16, Datatype.FP32)
    return next(peaks[kind] for kind in order if kind in peaks)


_WORK: Mapping[str, Callable[[OperatorPoints, Datatype, Accelerator], Work]] = {
    "gemm": _gemm,
    "grouped_gemm": _grouped_gemm,
    "attention_decode": _attention_decode,
    "attention_prefill": _attention_prefill,
    "elementwise": _elementwise,
}
