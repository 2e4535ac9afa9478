"""The hardware of a training job, as numbers: peaks, calibrated ceilings, memory and networks."""

from __future__ import annotations

from dataclasses import dataclass

from dcsim.formulas.deployment import Ceiling
from dcsim.formulas.network.group_network import GroupNetwork
from dcsim.formulas.power import PowerCurve


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """One kind of matrix product or attention kernel: its peak rate and the ceilings below it."""

    ceiling: Ceiling
    peak_flops_per_s: float
    memory_bytes_per_s: float
    num_compute_units: int


@dataclass(frozen=True, slots=True, eq=False)
class TrainingHardware:
    """An accelerator and what connects it. ``linear`` belongs to the datatype of the linear layers.

    ``streaming_frac`` is the share of memory bandwidth that kernels on large tensors reach;
    ``causal_square_frac`` the share of the square of a sequence that a causal kernel computes.
    """

    linear: Kernel
    wide: Kernel
    attention: Kernel
    memory_bytes: float
    memory_bytes_per_s: float
    streaming_frac: float
    causal_square_frac: float
    network: GroupNetwork
    num_per_node: int
    host_bytes_per_s: float
    nvme_bytes_per_s: float
    power: PowerCurve

    @property
    def streaming_bytes_per_s(self) -> float:
        """Bandwidth of kernels that only move memory."""
        return self.memory_bytes_per_s * self.streaming_frac
