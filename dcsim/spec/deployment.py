"""From a scenario to a deployment: the engine's defaults filled in, the memory shared out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from dcsim.catalog.accelerator import Accelerator
from dcsim.catalog.efficiency import Efficiency
from dcsim.catalog.engine import Engine
from dcsim.catalog.link import Link
from dcsim.catalog.loader import entry_names, load_entry
from dcsim.catalog.model import Model
from dcsim.catalog.node import Node
from dcsim.errors import InfeasibleError
from dcsim.formulas.datatypes import WEIGHT_ONLY, Datatype
from dcsim.formulas.deployment import Ceiling, Deployment, RoutedPrecision, Wire
from dcsim.formulas.memory import MemoryFit
from dcsim.formulas.network.collectives import ring_over_nodes
from dcsim.formulas.operators import KERNELS
from dcsim.formulas.residual import ResidualTable
from dcsim.formulas.sampling import GREEDY_LOGIT_BYTES, Sampling
from dcsim.plugins import policy_class
from dcsim.policies.router import Router
from dcsim.policies.scheduler import Scheduler
from dcsim.spec.ceilings import (
    ALIKE,
    as_ceiling,
    known_datatype,
    operator_ceiling,
    wide_datatype,
)
from dcsim.spec.memory import MemoryDemand, does_not_fit
from dcsim.spec.pools import require_accelerators
from dcsim.spec.scenario import Scenario
from dcsim.spec.serving import Parallelism, Precision, Serving
from dcsim.workloads.lengths.fixed import Fixed

_SCHEDULERS = "dcsim.policies.schedulers"


@dataclass(frozen=True, slots=True)
class ServingDeployment:
    """One serving workload with every default resolved."""

    name: str
    model: Model
    engine: Engine
    efficiency: Efficiency
    node: Node
    accelerator: Accelerator
    deployment: Deployment
    memory: MemoryFit
    num_replicas: int
    num_lanes: int  # pipeline stages: each lane schedules on its own, as vLLM's virtual engines
    accelerators_per_replica: int
    scheduler: Scheduler
    max_num_seqs: int
    max_num_batched_tokens: int
    num_watermark_blocks: int  # per lane
    block_size: int
    num_blocks_per_lane: int
    has_prefix_caching: bool
    max_model_len: int
    request_overhead_s: float
    router: Router
    max_queue: int | None
    request_timeout_s: float | None
    prefill: ServingDeployment | None = None  # the replicas that compute prompts; these ones then decode

    @property
    def pools(self) -> tuple[ServingDeployment, ...]:
        """The replicas that are alike: all of them, or those that decode and those that compute prompts."""
        return (self,) if self.prefill is None else (self, self.prefill)

    @property
    def num_engines(self) -> int:
        """Lanes of all its own replicas."""
        return self.num_replicas * self.num_lanes

    @property
    def num_accelerators(self) -> int:
        """Those of its own replicas."""
        return self.num_replicas * self.accelerators_per_replica

    @property
    def max_request_tokens(self) -> int:
        """Prompt and output tokens of the longest request that can be served.

        The last output token needs no place in the KV cache.
        """
        most = _most_cached_tokens(self.num_blocks_per_lane, self.block_size)
        return min(self.max_model_len, most)

    @property
    def max_prompt_tokens(self) -> int:
        """Tokens of the longest prompt: one token must follow, and prefill replicas have their own room."""
        longest = self.max_request_tokens - 1
        if self.prefill is None:
            return longest
        return min(longest, self.prefill.num_blocks_per_lane * self.prefill.block_size)


def resolve_deployment(scenario: Scenario, name: str) -> ServingDeployment:
    """The serving workload ``name`` with every default resolved.

    Raises
    ------
    InfeasibleError
        The model, or a request where all are alike, does not fit in memory, the accelerator lacks a
        datatype, or the cluster is too small.
    """
    serving = scenario.serving[name]
    require_accelerators(scenario, name)
    own = _resolved(scenario, name, serving)
    if serving.prefill is None:
        return own
    where = f"{name}.prefill"
    return replace(own, prefill=_resolved(scenario, where, serving.pools[-1], has_outputs=False))


def _resolved(
    scenario: Scenario, name: str, serving: Serving, *, has_outputs: bool = True
) -> ServingDeployment:
    """The replicas of one pool; without outputs, their requests end with the prompt."""
    node, engine, accelerator = scenario.cluster.node, serving.engine, scenario.cluster.installed_accelerator
    efficiency, scheduler = resolve_efficiency(serving, accelerator), _scheduler(serving)
    demand = _memory_demand(name, serving, node, accelerator, efficiency)
    memory = demand.share(accelerator)
    num_lanes, block_size = serving.parallelism.pipeline, serving.kv_cache.block_size or engine.block_size
    num_blocks_per_lane = memory.num_blocks(block_size) // num_lanes
    if memory.kv_bytes <= 0 or num_blocks_per_lane == 0:
        raise InfeasibleError(f"serving.{name}: {does_not_fit(demand, accelerator, node)}")
    if (num_asked := serving.kv_cache.num_blocks) is not None:
        num_blocks_per_lane = _asked_blocks(name, num_asked, memory, block_size) // num_lanes
    watermark_frac = engine.watermark_frac if scheduler.watermark_frac is None else scheduler.watermark_frac
    _require_room(name, serving, num_blocks_per_lane, block_size, has_outputs=has_outputs)
    has_prefix_caching = serving.kv_cache.has_prefix_caching
    return ServingDeployment(
        name=name,
        model=serving.model,
        engine=engine,
        efficiency=efficiency,
        node=node,
        accelerator=accelerator,
        deployment=demand.deployment,
        memory=memory,
        num_replicas=serving.num_replicas,
        num_lanes=num_lanes,
        accelerators_per_replica=serving.parallelism.tensor * num_lanes,
        scheduler=scheduler,
        max_num_seqs=demand.max_num_seqs,
        max_num_batched_tokens=demand.max_num_batched_tokens,
        num_watermark_blocks=int(watermark_frac * num_blocks_per_lane),
        block_size=block_size,
        num_blocks_per_lane=num_blocks_per_lane,
        has_prefix_caching=engine.has_prefix_caching if has_prefix_caching is None else has_prefix_caching,
        max_model_len=serving.max_model_len or serving.model.max_context_tokens,
        request_overhead_s=engine.request_overhead_s,
        router=serving.router,
        max_queue=serving.max_queue,
        request_timeout_s=serving.request_timeout_s,
    )


def memory_fit(scenario: Scenario, name: str) -> MemoryFit:
    """How the memory of one accelerator is shared out, whether or not the model fits.

    If it does not, ``kv_bytes`` is negative, or too few for a block of tokens. How many accelerators there
    are does not matter.

    Raises
    ------
    InfeasibleError
        The accelerator or its efficiency profile lacks a datatype.
    """
    serving, accelerator = scenario.serving[name], scenario.cluster.installed_accelerator
    efficiency = resolve_efficiency(serving, accelerator)
    return _memory_demand(name, serving, scenario.cluster.node, accelerator, efficiency).share(accelerator)


def _scheduler(serving: Serving) -> Scheduler:
    scheduler = serving.scheduler or policy_class(_SCHEDULERS, serving.engine.scheduler)()
    assert isinstance(scheduler, Scheduler)
    return scheduler


def _memory_demand(
    name: str, serving: Serving, node: Node, accelerator: Accelerator, efficiency: Efficiency
) -> MemoryDemand:
    """The deployment with the caps that decide how much memory it takes."""
    engine, scheduler = serving.engine, _scheduler(serving)
    return MemoryDemand(
        deployment=_deployment(name, serving, node, accelerator, efficiency),
        engine=engine,
        kv_cache=serving.kv_cache,
        max_num_batched_tokens=scheduler.max_num_batched_tokens or engine.max_num_batched_tokens,
        max_num_seqs=scheduler.max_num_seqs or engine.max_num_seqs,
    )


def _asked_blocks(name: str, num_blocks: int, memory: MemoryFit, block_size: int) -> int:
    most = memory.num_blocks(block_size)
    if num_blocks > most:
        raise InfeasibleError(
            f"serving.{name}.kv_cache.num_blocks: {num_blocks} blocks of {block_size} tokens do not fit, "
            f"{most} do; ask for fewer, or leave it out"
        )
    return num_blocks


def _most_cached_tokens(num_blocks: int, block_size: int) -> int:
    """Prompt and output tokens of the longest request that the blocks hold: the last token needs no place."""
    return num_blocks * block_size + 1


def _require_room(
    name: str, serving: Serving, num_blocks: int, block_size: int, *, has_outputs: bool
) -> None:
    """Raise if all requests are alike and the KV cache of a lane cannot hold one of them."""
    lengths, most = serving.traffic.lengths, _most_cached_tokens(num_blocks, block_size)
    if not isinstance(lengths, Fixed):
        return
    num_tokens = lengths.num_prompt_tokens + (lengths.num_output_tokens if has_outputs else 1)
    if num_tokens > most:
        what = "prompt and output are" if has_outputs else "the prompt and its first token are"
        raise InfeasibleError(
            f"serving.{name}: of traffic.lengths {what} {num_tokens} tokens, more than the "
            f"{most} that the KV cache has room for ({num_blocks} blocks of {block_size} tokens): no request "
            "could be served; shorten them, or enlarge kv_cache"
        )


def resolve_efficiency(serving: Serving, accelerator: Accelerator) -> Efficiency:
    """The efficiency profile asked for, or the accelerator's own, with the engine's kernels if measured."""
    name, with_kernels = accelerator.efficiency, f"{accelerator.efficiency}-{serving.engine.kernels}"
    if serving.engine.kernels and with_kernels in entry_names("efficiency"):
        name = with_kernels
    entry = serving.efficiency or load_entry("efficiency", name)
    assert isinstance(entry, Efficiency)
    if entry.reference is not None and entry.reference.kind is not accelerator.kind:
        raise InfeasibleError(
            f"efficiency profile {entry.name} was measured on a {entry.reference.kind} "
            f"({entry.reference.device}), but accelerator {accelerator.name} is a {accelerator.kind}: name a "
            "profile of such a device, or leave efficiency out"
        )
    return entry


def resolve_precision(serving: Serving) -> Precision:
    """The datatypes asked for, or the model's own: 16-bit KV cache with narrower weights."""
    if serving.precision is not None:
        return serving.precision
    native = serving.model.native_datatype
    cache = native if native.num_bytes >= Datatype.BF16.num_bytes else Datatype.BF16
    experts = serving.model.experts
    return Precision(
        weights=native,
        activations=native,
        kv_cache=cache,
        expert_weights=None if experts is None else experts.datatype,
    )


def _deployment(
    name: str, serving: Serving, node: Node, accelerator: Accelerator, efficiency: Efficiency
) -> Deployment:
    precision, parallelism = resolve_precision(serving), serving.parallelism
    where, device = f"serving.{name}", f"accelerator {accelerator.name}"
    peaks, wide = accelerator.peak_flops_per_s, wide_datatype(precision.activations, accelerator)
    return Deployment(
        shape=serving.model.shape,
        weights=precision.weights,
        activations=precision.activations,
        kv_cache=precision.kv_cache,
        tensor=parallelism.tensor,
        pipeline=parallelism.pipeline,
        expert=parallelism.expert,
        peak_flops_per_s=peaks[known_datatype(precision.activations, peaks, where, device)],
        attention_peak_flops_per_s=peaks[known_datatype(wide, peaks, where, device)],
        memory_bytes_per_s=accelerator.memory_bytes_per_s,
        num_compute_units=accelerator.num_compute_units,
        gemm=operator_ceiling(efficiency, "gemm", precision.activations, where),
        grouped_gemm=_grouped_ceiling(efficiency, precision, where),
        wide_gemm=operator_ceiling(efficiency, "gemm", wide, where),
        decode=operator_ceiling(efficiency, "attention_decode", precision.kv_cache, where),
        prefill=operator_ceiling(efficiency, "attention_prefill", precision.kv_cache, where),
        elementwise=as_ceiling(efficiency.elementwise),
        causal_square_frac=efficiency.causal_square_frac,
        tensor_wire=_tensor_wire(node, parallelism, efficiency),
        pipeline_wire=_pipeline_wire(node, parallelism),
        step_overhead_s=serving.engine.step_overhead_s,
        sequence_overhead_s=serving.engine.sequence_overhead_s,
        step_floor_s=serving.engine.step_floor_s,
        prompt_layer_overhead_s=serving.engine.prompt_layer_overhead_s,
        max_graph_tokens=serving.engine.max_graph_tokens or math.inf,
        eager_operator_s=serving.engine.eager_operator_overhead_s,
        logit_bytes=_logit_bytes(serving),
        expert_skew=serving.expert_skew,
        routed=_routed_precision(precision, peaks, where, device),
        kernel_residuals=_kernel_residuals(efficiency, wide),
    )


def _kernel_residuals(efficiency: Efficiency, datatype: Datatype) -> dict[str, ResidualTable]:
    """The residuals of the kernels between the products, for profiles that tell them apart."""
    tables = efficiency.residuals()
    return {name: tables[key] for name in KERNELS if (key := f"{name}.{datatype}") in tables}


def _routed_precision(
    precision: Precision, peaks: Mapping[Datatype, float], where: str, device: str
) -> RoutedPrecision | None:
    """The format of the routed experts, if it is one of their own."""
    if precision.expert_weights is None and precision.expert_activations is None:
        return None
    activations = precision.expert_activations or precision.activations
    return RoutedPrecision(
        weights=precision.expert_weights or precision.weights,
        activations=activations,
        peak_flops_per_s=peaks[known_datatype(activations, peaks, where, device)],
    )


def _logit_bytes(serving: Serving) -> float:
    is_sorted = serving.sampling is Sampling.TOP_P
    return serving.engine.top_p_logit_bytes if is_sorted else GREEDY_LOGIT_BYTES


def _grouped_ceiling(efficiency: Efficiency, precision: Precision, where: str) -> Ceiling:
    """The experts' products, or plain ones where a profile does not tell them apart.

    Kernels that unpack narrow weights on their way are found by the weights' format, where they were
    measured, and taken for plain ones of the activations' type where not.
    """
    weights = precision.expert_weights or precision.weights
    if weights in WEIGHT_ONLY and weights in efficiency.grouped_gemm:
        return operator_ceiling(efficiency, "grouped_gemm", weights, where)
    datatype = precision.expert_activations or precision.activations
    if {datatype, ALIKE.get(datatype, datatype)} & set(efficiency.grouped_gemm):
        return operator_ceiling(efficiency, "grouped_gemm", datatype, where)
    return replace(operator_ceiling(efficiency, "gemm", datatype, where), residual=None)


def _wire(name: str, num_links: float) -> Wire:
    link = load_entry("links", name)
    assert isinstance(link, Link)
    return Wire(
        bytes_per_s=link.bytes_per_s * num_links,
        achievable_frac=link.achievable_frac,
        base_s=link.base_s,
        hop_s=link.hop_s,
        has_in_network_reduction=link.has_in_network_reduction,
    )


def _tensor_wire(node: Node, parallelism: Parallelism, efficiency: Efficiency) -> Wire:
    """Inside the node, or one ring through all nodes that share the ports of each."""
    inside = _wire(node.scale_up, 1)
    if parallelism.tensor <= node.num_accelerators:
        was_measured = efficiency.collective_link == node.scale_up
        return replace(inside, residual=efficiency.residuals().get("all_reduce")) if was_measured else inside
    num_nodes = -(-parallelism.tensor // node.num_accelerators)
    return ring_over_nodes(inside, _wire(node.scale_out, node.num_nics), parallelism.tensor, num_nodes)


def _pipeline_wire(node: Node, parallelism: Parallelism) -> Wire:
    """Inside the node if the whole replica is; else each accelerator's part of the node's ports."""
    if parallelism.tensor * parallelism.pipeline <= node.num_accelerators:
        return _wire(node.scale_up, 1)
    return _wire(node.scale_out, node.num_nics / node.num_accelerators)
