"""Groups of ranks that communicate: how many ranks, and how many of them share a scale-up domain."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from dcsim.formulas.group_collectives import Collective, collective_time
from dcsim.formulas.group_network import GroupNetwork
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
            axes = _spanned(network.torus_axes, self.stride, self.num_ranks)
            network = replace(network, torus_axes=axes)
        return float(collective_time(kind, network, self.num_ranks, inner, num_bytes))


@lru_cache(maxsize=1024)
def _spanned(axes: tuple[int, ...], stride: int, num_ranks: int) -> tuple[int, ...]:
    """The axes of a torus, or their parts, that a group spans when ranks are laid out axis by axis."""
    spanned: list[int] = []
    for size in axes:
        skipped = min(stride, size)
        stride = max(1, stride // skipped)
        taken = min(num_ranks, max(1, size // skipped))
        num_ranks = -(-num_ranks // taken)
        if taken > 1:
            spanned.append(taken)
    return tuple(spanned) or (1,)


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
