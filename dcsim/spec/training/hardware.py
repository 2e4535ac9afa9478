"""From a cluster to the hardware of a training job: ceilings of its operators, its networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import NamedTuple

from dcsim.catalog.accelerator import Accelerator
from dcsim.catalog.efficiency import Efficiency
from dcsim.catalog.group_network import group_network
from dcsim.catalog.link import Link
from dcsim.catalog.loader import load_entry
from dcsim.catalog.node import Node
from dcsim.formulas.datatypes import Datatype
from dcsim.formulas.network.torus_time import axis_wraps
from dcsim.formulas.training.hardware import Kernel, TrainingHardware
from dcsim.spec.ceilings import known_datatype, operator_ceiling, wide_datatype

NVME_BYTES_PER_S = 3e9  # of local drives for each accelerator, an estimate: a PCIe 4 drive of 6 GB/s for two


def training_hardware(
    node: Node,
    accelerator: Accelerator,
    linear: Datatype,
    where: str = "training",
    *,
    num_accelerators: int | None = None,
    efficiency: Efficiency | None = None,
    fabric_wraps: Sequence[bool] | None = None,
) -> TrainingHardware:
    """The hardware of a job whose linear layers run in a datatype.

    Where a torus joins the accelerators of several nodes, those of the job (of one node if left out) make a
    torus as near to a cube as their number allows, or several alike where they are more than it may join;
    the ends of its axes are joined as the link says, but for those that the cluster's fabric leaves open
    (``fabric_wraps``, the shortest axis first).
    The accelerator's own efficiency profile is used unless another is given.
    Raises InfeasibleError if the accelerator or its efficiency profile lacks the datatype.
    """
    link = load_entry("links", node.scale_up)
    assert isinstance(link, Link)
    torus = _Slice()
    if link.num_torus_axes:
        torus = _slice(link, num_accelerators or node.num_accelerators, node.num_accelerators, fabric_wraps)
    if efficiency is not None:
        return _made(_Installed("", node, accelerator, where), linear, torus, efficiency)
    text = node.model_dump_json() + accelerator.model_dump_json()
    return _hardware(_Installed(text, node, accelerator, where), linear, torus)


class _Slice(NamedTuple):
    """The torus of a job's accelerators: sizes of its axes, and which have their ends joined."""

    axes: tuple[int, ...] = ()
    wraps: tuple[bool, ...] = ()


def _slice(
    link: Link, num_accelerators: int, num_per_node: int, fabric_wraps: Sequence[bool] | None
) -> _Slice:
    num_slices = -(-num_accelerators // (link.torus_size or num_per_node))
    axes = torus_axes(-(-num_accelerators // num_slices), link.num_torus_axes)
    wraps = axis_wraps(axes, link.torus_ring_size, needs_cube=link.needs_torus_cubes)
    if fabric_wraps is not None:
        if len(fabric_wraps) != len(axes):  # a fabric of other axes: of nodes, not of accelerators
            fabric_wraps = [all(fabric_wraps)] * len(axes)
        wraps = tuple(here and there for here, there in zip(wraps, fabric_wraps, strict=True))
    return _Slice(axes, wraps)


@dataclass(frozen=True, slots=True)
class _Installed:
    """A node and what it carries; two are equal if all their values are."""

    text: str
    node: Node = field(compare=False)
    accelerator: Accelerator = field(compare=False)
    where: str = field(compare=False)


@lru_cache(maxsize=64)
def _hardware(installed: _Installed, linear: Datatype, torus: _Slice) -> TrainingHardware:
    """One object for equal hardware, so that operators timed once are found again."""
    efficiency = load_entry("efficiency", installed.accelerator.efficiency)
    assert isinstance(efficiency, Efficiency)
    return _made(installed, linear, torus, efficiency)


def _made(installed: _Installed, linear: Datatype, torus: _Slice, efficiency: Efficiency) -> TrainingHardware:
    node, accelerator, where = installed.node, installed.accelerator, installed.where
    network = group_network(node)
    if torus.axes:
        size = math.prod(torus.axes)
        network = replace(network, domain_size=size, torus_axes=torus.axes, torus_wraps=torus.wraps)
    link = load_entry("links", node.host_link)
    assert isinstance(link, Link)
    wide = wide_datatype(linear, accelerator)
    wide_kernel = _kernel(accelerator, efficiency, "gemm", wide, where)
    return TrainingHardware(
        linear=_kernel(accelerator, efficiency, "gemm", linear, where),
        wide=wide_kernel,
        attention=_kernel(accelerator, efficiency, "attention_prefill", _attention_datatype(wide), where),
        memory_bytes=accelerator.memory_bytes,
        memory_bytes_per_s=accelerator.memory_bytes_per_s,
        streaming_frac=wide_kernel.ceiling.memory_frac,
        causal_square_frac=efficiency.causal_square_frac,
        network=network,
        num_per_node=node.num_accelerators,
        host_bytes_per_s=link.bytes_per_s * link.achievable_frac,
        nvme_bytes_per_s=NVME_BYTES_PER_S,
        power=accelerator.power_curve,
    )


def _attention_datatype(wide: Datatype) -> Datatype:
    """What attention's core runs in: tf32 is a way to multiply matrices, of whose kernels there are none."""
    return Datatype.FP32 if wide is Datatype.TF32 else wide


def torus_axes(num_accelerators: int, num_axes: int) -> tuple[int, ...]:
    """Sizes of the axes of a torus of so many accelerators, as equal as they can be, the smallest first.

    >>> torus_axes(3072, 3), torus_axes(256, 2)
    ((12, 16, 16), (16, 16))
    """
    if num_axes == 1:
        return (num_accelerators,)
    root = num_accelerators ** (1.0 / num_axes)
    first = max(size for size in range(1, math.floor(root + 1e-9) + 1) if num_accelerators % size == 0)
    return (first, *torus_axes(num_accelerators // first, num_axes - 1))


def _kernel(
    accelerator: Accelerator, efficiency: Efficiency, operator: str, datatype: Datatype, where: str
) -> Kernel:
    peaks = accelerator.peak_flops_per_s
    known = known_datatype(datatype, peaks, where, f"accelerator {accelerator.name}")
    ceiling = operator_ceiling(efficiency, operator, datatype, where)
    gain = accelerator.sustained_frac.get(known, 1.0) if operator == "gemm" else accelerator.attention_gain
    return Kernel(
        ceiling=replace(ceiling, compute_frac=ceiling.compute_frac * gain),
        peak_flops_per_s=peaks[known],
        memory_bytes_per_s=accelerator.memory_bytes_per_s,
        num_compute_units=accelerator.num_compute_units,
    )
