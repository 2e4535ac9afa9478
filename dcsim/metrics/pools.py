"""The pools of a workload: replicas that are alike, the figures of each, and those of all together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import mul

from dcsim.metrics.figures import Figure, Figures, finite, ratio
from dcsim.metrics.throughput import engine_figures, fleet_figures
from dcsim.metrics.time_bins import BinnedSums
from dcsim.spec.deployment import ServingDeployment

_SUMS = ("output_tokens_per_s", "computed_prompt_tokens_per_s", "steps_per_s")
_MEANS = ("utilization_frac", "mfu_frac", "memory_bandwidth_frac", "accelerator_power_w")


class Role(StrEnum):
    """What replicas do."""

    BOTH = "both"
    DECODE = "decode"
    PREFILL = "prefill"


@dataclass(frozen=True, slots=True)
class Pool:
    """Replicas that are alike: their engines and replicas, as the tables number them."""

    role: Role
    served: ServingDeployment
    engines: range
    replicas: range


def pools(served: ServingDeployment) -> list[Pool]:
    """All replicas; or those that decode, and after them those that compute prompts."""
    roles = (Role.BOTH,) if served.prefill is None else (Role.DECODE, Role.PREFILL)
    found: list[Pool] = []
    engine = replica = 0
    for role, one in zip(roles, served.pools, strict=True):
        engines = range(engine, engine + one.num_engines)
        replicas = range(replica, replica + one.num_replicas)
        found.append(Pool(role, one, engines, replicas))
        engine, replica = engines.stop, replicas.stop
    return found


def workload_figures(
    served: ServingDeployment, sums: Sequence[BinnedSums], bins: tuple[int, int], duration_s: float
) -> Figures:
    """What is read from the steps, all replicas together; ``sums`` are those of each pool.

    Of two pools rates are added. Shares of machines are means over accelerators, the occupancy of the KV
    cache is one of the room for tokens, and the mean batch is over the steps of both.
    """
    parts = zip(served.pools, sums, strict=True)
    found = [engine_figures(one, part, bins, duration_s) for one, part in parts]
    if len(found) == 1:
        return found[0]
    accelerators = [one.num_accelerators for one in served.pools]
    rooms = [one.num_engines * one.num_blocks_per_lane * one.block_size for one in served.pools]
    num_steps, sequence_steps = (
        sum(one.total(name, *bins) for one in sums) for name in ("num_steps", "sequence_steps")
    )
    num_tokens = sum(one.total("num_output_tokens", *bins) for one in sums)
    power_w = _mean(found, "accelerator_power_w", accelerators)
    energy_j = None if power_w is None else power_w * sum(accelerators) * duration_s
    return {
        **{name: _total(found, name) for name in _SUMS},
        **{name: _mean(found, name, accelerators) for name in _MEANS},
        "kv_occupancy_frac": _mean(found, "kv_occupancy_frac", rooms),
        "batch_size": {"mean": ratio(sequence_steps, num_steps)},
        "accelerator_j_per_output_token": None if energy_j is None else ratio(energy_j, num_tokens),
    }


def pool_figures(
    served: ServingDeployment, sums: Sequence[BinnedSums], bins: tuple[int, int], duration_s: float
) -> Figures:
    """The same of each pool by its role, with its size; energy per token is one of both together."""
    found: Figures = {}
    for pool, part in zip(pools(served), sums, strict=True):
        figures = {**engine_figures(pool.served, part, bins, duration_s), **fleet_figures(pool.served)}
        del figures["accelerator_j_per_output_token"]
        found[pool.role.value] = figures
    return found


def workload_size(served: ServingDeployment) -> Figures:
    """How large the deployment is, both pools together; the room of a replica is that of one that decodes."""
    return {
        **fleet_figures(served),
        "num_replicas": sum(one.num_replicas for one in served.pools),
        "num_accelerators": sum(one.num_accelerators for one in served.pools),
    }


def _total(found: Sequence[Figures], name: str) -> Figure:
    values = [one[name] for one in found]
    return sum(value for value in values if isinstance(value, float)) if None not in values else None


def _mean(found: Sequence[Figures], name: str, weights: Sequence[float]) -> float | None:
    """The weighted mean of a figure; None where one is not known."""
    values = [value for one in found if isinstance(value := one[name], float)]
    if len(values) < len(found):
        return None
    return finite(sum(map(mul, values, weights)) / sum(weights))
