"""Groups of ranks that communicate: how many ranks, and how many of them share a scale-up domain."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from dcsim.formulas.network.group_collectives import Collective, collective_time
from dcsim.formulas.network.group_network import GroupNetwork
from dcsim.formulas.training.plan import TrainingPlan


@dataclass(frozen=True, slots=True)
class RankGroup:
    """A group of ``num_ranks`` ranks, every ``stride``-th of the job's."""

    num_ranks: int
    stride: int

    def ranks_per_domain(self, domain_size: int) -> int:
        """Ranks of the group inside one scale-up domain."""
        return max(1, min(self.num_ranks, domain_size // self.stride))

    def num_domains(self, domain_size: int) -> int:
        """Scale-up domains that the group spans."""
        return -(-self.num_ranks // self.ranks_per_domain(domain_size))

    def time_s(self, kind: Collective, network: GroupNetwork, num_bytes: float) -> float:
        """Time of a collective of the group; its messages are counted as in ``collective_time``."""
        if self.num_ranks <= 1 or num_bytes <= 0.0:
            return 0.0
        inner = self.ranks_per_domain(network.domain_size)
        if network.torus_axes:
            wraps = network.torus_wraps or (True,) * len(network.torus_axes)
            axes, wraps = _spanned(network.torus_axes, wraps, self.stride, self.num_ranks)
            network = replace(network, torus_axes=axes, torus_wraps=wraps)
        return float(collective_time(kind, network, self.num_ranks, inner, num_bytes))

    def sent_bytes(self, kind: Collective, num_bytes: float, domain_size: int) -> float:
        """Bytes of a message that the mean rank of the group sends to other scale-up domains.

        Of a message S over n ranks, i of them in each of d domains: all-reduce 2 S (d - 1) / (d i), each of
        its halves half of that, all-to-all S (n - i) / n, and a send all of it.
        """
        num_domains = self.num_domains(domain_size)
        if self.num_ranks <= 1 or num_domains <= 1:
            return 0.0
        inner = self.ranks_per_domain(domain_size)
        if kind is Collective.SEND:
            return num_bytes
        if kind is Collective.ALL_TO_ALL:
            return num_bytes * (self.num_ranks - inner) / self.num_ranks
        phases = 2.0 if kind is Collective.ALL_REDUCE else 1.0
        return phases * num_bytes * (num_domains - 1) / num_domains / inner


@lru_cache(maxsize=1024)
def _spanned(
    axes: tuple[int, ...], wraps: tuple[bool, ...], stride: int, num_ranks: int
) -> tuple[tuple[int, ...], tuple[bool, ...]]:
    """The axes of a torus, or their parts, that a group spans when ranks are laid out axis by axis.

    With them whether they are rings; a part is where its axis is.
    """
    spanned: list[tuple[int, bool]] = []
    for size, does_wrap in zip(axes, wraps, strict=True):
        skipped = min(stride, size)
        stride = max(1, stride // skipped)
        taken = min(num_ranks, max(1, size // skipped))
        num_ranks = -(-num_ranks // taken)
        if taken > 1:
            spanned.append((taken, does_wrap))
    if not spanned:
        return (1,), (False,)
    return tuple(size for size, _ in spanned), tuple(is_ring for _, is_ring in spanned)


def tensor_group(plan: TrainingPlan) -> RankGroup:
    """The ranks that share each matrix product: neighbours."""
    return RankGroup(plan.tensor, 1)


def context_group(plan: TrainingPlan) -> RankGroup:
    """The ranks that share each sequence."""
    return RankGroup(plan.context, plan.tensor)


def expert_group(plan: TrainingPlan) -> RankGroup:
    """The ranks among which the experts are spread."""
    return RankGroup(plan.expert, plan.expert_tensor)


def gradient_group(plan: TrainingPlan) -> RankGroup:
    """The ranks that hold the same dense weights."""
    return RankGroup(plan.num_gradient_ranks, plan.tensor)


def expert_gradient_group(plan: TrainingPlan) -> RankGroup:
    """The ranks that hold the same experts."""
    return RankGroup(plan.num_expert_copies, plan.expert * plan.expert_tensor)


def neighbour_group(plan: TrainingPlan) -> RankGroup:
    """A rank and the one of the next pipeline stage."""
    return RankGroup(2 if plan.pipeline > 1 else 1, plan.num_stage_ranks)
