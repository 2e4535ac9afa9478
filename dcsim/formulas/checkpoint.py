"""Checkpoints: how large they are, how long training stands still for one, and how long until it is safe.

Times of reading and writing come from ``dcsim.formulas.storage``; the interval that loses the least time
from ``dcsim.formulas.reliability``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class CheckpointMode(StrEnum):
    """Whether training waits until a checkpoint is safe."""

    SYNCHRONOUS = "sync"  # training stands still until the store has all of it
    ASYNCHRONOUS = "async"  # until it is copied to host memory; it drains to the store meanwhile


@dataclass(frozen=True, slots=True)
class SavedBytes:
    """Bytes that a checkpoint keeps for each parameter that is trained.

    Mixed precision with AdamW: 2 of weights + 4 of master weights + 8 of moments = 14. Weights in fp32 need
    no master copy (4 + 0 + 8 = 12). Gradients are not saved. What other optimizers keep is ``state_bytes``
    of ``dcsim.formulas.training.choices.OPTIMIZERS``.
    """

    weight_bytes: float = 2.0
    master_bytes: float = 4.0
    optimizer_bytes: float = 8.0

    @property
    def total(self) -> float:
        """All of them."""
        return self.weight_bytes + self.master_bytes + self.optimizer_bytes


def num_checkpoint_bytes(num_trained_parameters: float, saved: SavedBytes) -> float:
    """Size of a checkpoint: parameters that are trained times bytes kept for each.

    With LoRA and its like only the adapters are trained and saved; the base model lies in the store already.
    AdamW in mixed precision keeps 14 B (Rajbhandari et al., ZeRO, arXiv:1910.02054, section 3.1, less the
    gradients): 105, 920 and 5,292 GiB for Llama 3 of 8, 70 and 405 G parameters. MLPerf Storage v2.0 states
    105, 912 and 5,290 "GB".

    >>> num_checkpoint_bytes(8.03e9, SavedBytes()) / 2**30
    104.6992838382721
    """
    return num_trained_parameters * saved.total


def incremental_bytes(num_full_bytes: float, changed_frac: float, full_every: int) -> float:
    """Mean size of a checkpoint when only one of ``full_every`` is whole: S (1 + (k - 1) f) / k.

    ``changed_frac`` is the share of the bytes that changed since the last checkpoint (f); dense training
    with Adam changes all of them, embedding tables of recommendation models a small part (Eisenman et al.,
    Check-N-Run, NSDI 2022, arXiv:2010.08679).

    >>> incremental_bytes(100.0, 0.25, 4)
    43.75
    """
    return num_full_bytes * (1.0 + (full_every - 1) * changed_frac) / full_every


def incremental_restore_bytes(num_full_bytes: float, changed_frac: float, full_every: int) -> float:
    """Mean bytes read to restore a chain of one whole checkpoint and those since: S (1 + f (k - 1) / 2).

    >>> incremental_restore_bytes(100.0, 0.25, 4)
    137.5
    """
    return num_full_bytes * (1.0 + changed_frac * (full_every - 1) / 2.0)


def num_kept_bytes(num_full_bytes: float, num_kept: int, changed_frac: float, full_every: int) -> float:
    """Most bytes that ``num_kept`` restorable checkpoints take, the one being written included.

    A chain cannot be dropped while a kept checkpoint needs its whole one, and the last kept may be the last
    of its chain: ceil((n + k) / k) chains of S (1 + (k - 1) f). Without increments (k = 1) it is (n + 1) S.
    """
    num_chains = math.ceil((num_kept + full_every) / full_every)
    return num_chains * num_full_bytes * (1.0 + (full_every - 1) * changed_frac)


def copy_to_host_s(num_bytes_per_accelerator: float, host_bytes_per_s: float) -> float:
    """Time to copy an accelerator's share of a checkpoint to host memory: n / B.

    Pinned memory over PCIe 5 reaches about 55 GB/s, pageable memory a tenth of it.

    >>> copy_to_host_s(11e9, 55e9)
    0.2
    """
    return num_bytes_per_accelerator / host_bytes_per_s


def synchronous_stall_s(write_s: float, barrier_s: float) -> float:
    """How long training stands still for a synchronous checkpoint: the write and a barrier of all ranks."""
    return write_s + barrier_s


def asynchronous_stall_s(copy_s: float, barrier_s: float, drain_s: float, interval_s: float) -> float:
    """How long training stands still for an asynchronous checkpoint.

    w = copy to host + barrier + max(0, D - tau): where the drain D of the checkpoint before has not ended
    when the next one is due, an interval tau of work later, its copy in host memory is still in use and
    training waits for it.

    >>> asynchronous_stall_s(2.0, 1.0, drain_s=40.0, interval_s=600.0)
    3.0
    """
    return copy_s + barrier_s + max(0.0, drain_s - interval_s)


def lost_s(worked_s: float, interval_s: float, drain_s: float) -> float:
    """Work lost to a failure after ``worked_s`` of work since the start, asynchronous (D > 0) or not.

    A checkpoint counts from the end of its drain, so that the last one taken at or before worked - D is safe:
    lost = worked - tau floor((worked - D) / tau). The mean over an interval is tau / 2 + D.

    >>> lost_s(1210.0, 600.0, 40.0)
    610.0
    """
    num_safe = math.floor((worked_s - drain_s) / interval_s)
    return worked_s - interval_s * max(0, num_safe)


def num_restored_bytes(num_weight_bytes: float, num_optimizer_bytes: float, num_replicas: int) -> float:
    """Bytes read from the store when a job restarts: each data-parallel replica reads the weights.

    The optimizer's state is sharded over the replicas (ZeRO) and read once. With one replica reading and the
    fabric broadcasting, ``num_replicas`` is 1.

    >>> num_restored_bytes(2.0, 12.0, 4)
    20.0
    """
    return num_replicas * num_weight_bytes + num_optimizer_bytes


def restore_s(read_s: float, copy_s: float, barrier_s: float) -> float:
    """Time from the store into the accelerators: read to host memory, copy, and a barrier of all ranks."""
    return read_s + copy_s + barrier_s
