"""One optimiser step of a training plan in closed form."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dcsim.formulas.network.group_network import GroupNetwork
from dcsim.formulas.power import power_rise_w
from dcsim.formulas.training.breakdown import StepCauses, TrainingStep
from dcsim.formulas.training.choices import Recompute
from dcsim.formulas.training.communication import step_messages, total_s
from dcsim.formulas.training.flops import step_flops
from dcsim.formulas.training.hardware import TrainingHardware
from dcsim.formulas.training.layer import PassCosts, head_costs, layer_costs, teacher_layer_cost
from dcsim.formulas.training.offload import transfer_s
from dcsim.formulas.training.overlap import overlapped
from dcsim.formulas.training.parameters import num_trained_parameters
from dcsim.formulas.training.plan import TrainingPlan
from dcsim.formulas.training.software import SoftwareFacts
from dcsim.formulas.training.stage import LayerMessages, StageTime, stage_time
from dcsim.formulas.training.straggler import expected_maximum_frac, slow_node_frac
from dcsim.formulas.training.update import update_time


@dataclass(frozen=True, slots=True)
class StepCondition:
    """What may change from step to step while a plan stays the same."""

    scale_out_share_frac: float = 1.0  # of the network between domains that contention leaves
    slowest_rank_factor: float = 1.0  # by which the slowest rank computes slower than the others
    num_data_parallel: int | None = None  # replicas left, where some have failed
    input_bytes_per_s: float | None = None  # at which samples arrive; always there if None


UNDISTURBED = StepCondition()


def training_step(
    plan: TrainingPlan,
    hardware: TrainingHardware,
    software: SoftwareFacts,
    condition: StepCondition = UNDISTURBED,
    *,
    input_bytes_per_token: float = 0.0,
    causal_frac: float = 1.0,
) -> TrainingStep:
    """The time of one optimiser step by cause.

    T = m t_max + bubble(mean stage) + exposed gradients + update, stretched by the slowest of N ranks, and by
    a stall where samples arrive too slowly (pipeline: Narayanan et al., arXiv:2104.04473, section 2.2).
    ``t_max`` is the slowest stage: one with most layers, or the last with the logits.
    """
    if condition.num_data_parallel is not None:
        plan = replace(plan, data=condition.num_data_parallel)
    software = _with_experts(plan, _with_schedule(plan, software))
    network = replace(hardware.network, scale_out_share_frac=condition.scale_out_share_frac)
    causes = _undelayed(plan, hardware, software, network)
    num_nodes = plan.num_accelerators / hardware.num_per_node
    causes = _delayed(plan, software, condition, causes, input_bytes_per_token, num_nodes)
    return _used(plan, hardware, software, causes, causal_frac)


def _with_schedule(plan: TrainingPlan, software: SoftwareFacts) -> SoftwareFacts:
    """The software with what the pipeline schedule hides beside it."""
    hidden = plan.schedule.hidden_dispatch_frac() if plan.pipeline > 1 else 0.0
    if hidden <= software.overlap.expert_frac:
        return software
    return replace(software, overlap=replace(software.overlap, expert_frac=hidden))


def _with_experts(plan: TrainingPlan, software: SoftwareFacts) -> SoftwareFacts:
    """The software with the host's time for experts in that of the mean layer."""
    if plan.shape.experts is None or software.expert_host_s == 0.0:
        return software
    experts_s = software.expert_host_s * (1.0 - plan.dense_layers_frac)
    return replace(software, layer_host_s=software.layer_host_s + experts_s)


def _undelayed(
    plan: TrainingPlan, hardware: TrainingHardware, software: SoftwareFacts, network: GroupNetwork
) -> StepCauses:
    """The causes of a step in which no rank and no sample is late."""
    messages = step_messages(plan, software, network.domain_size)
    layer, head = _layer(plan, hardware, software), head_costs(plan, hardware, software)
    repeated_frac = plan.recomputed_frac if plan.recompute is Recompute.FULL else 0.0
    times = LayerMessages.of(messages, network, repeated_frac)
    slowest = _slowest_stage(plan, layer, head, times, software)
    causes = _pipeline_causes(plan, layer, head, times, software, slowest)
    update = update_time(plan, hardware, software)
    reduce_s, gather_s = total_s(messages.reduce, network), total_s(messages.gather, network)
    data_s, slowdown_s = _gradient_times(plan, hardware, software, slowest, (reduce_s, gather_s))
    transferred_s = transfer_s(plan, hardware, software, slowest.micro_batch)
    return replace(
        causes,
        data_s=causes.data_s + data_s + total_s(messages.tied, network),
        overlap_s=causes.overlap_s + slowdown_s,
        optimizer_s=update.optimizer_s,
        offload_s=update.offload_s + transferred_s,
        host_s=causes.host_s + software.step_host_s,
    )


def _layer(plan: TrainingPlan, hardware: TrainingHardware, software: SoftwareFacts) -> PassCosts:
    """The mean layer, with its part of a teacher's forward pass."""
    layer = layer_costs(plan, hardware, software)
    if plan.teacher is None:
        return layer
    per_layer = plan.teacher.num_layers / plan.shape.num_layers
    return layer.plus(PassCosts(forward=teacher_layer_cost(plan, hardware, software).times(per_layer)))


def _slowest_stage(
    plan: TrainingPlan,
    layer: PassCosts,
    head: PassCosts,
    times: LayerMessages,
    software: SoftwareFacts,
) -> StageTime:
    """The stage that the pipeline waits for; where layers do not divide, the last one has fewer.

    Where ranks hold stages of both ends, each has half of the head's work.
    """
    most = plan.num_stage_layers
    if plan.pipeline == 1:
        return stage_time(layer, head, most, times, software)
    middle = stage_time(layer, PassCosts(), most, times, software)
    shared = head.times(1.0 / plan.schedule.num_weight_copies())
    last = stage_time(layer, shared, plan.num_last_layers, times, software)
    return middle if middle.total_s >= last.total_s else last


def _pipeline_causes(
    plan: TrainingPlan,
    layer: PassCosts,
    head: PassCosts,
    times: LayerMessages,
    software: SoftwareFacts,
    slowest: StageTime,
) -> StepCauses:
    """All micro-batches through the slowest stage, the sends between stages, and the bubble."""
    count = float(plan.num_micro_batches)
    costs, forward, backward = slowest.costs, slowest.forward, slowest.backward
    plain = costs.forward.plus(costs.input_backward).plus(costs.weight_backward)
    host_s = software.send_host_s if plan.pipeline > 1 else 0.0
    send_s = times.send_s * (1.0 - software.overlap.pipeline_frac) + host_s
    bubble_s = 0.0
    if plan.pipeline > 1:
        mean = stage_time(
            layer, head.times(1.0 / plan.pipeline), plan.shape.num_layers / plan.pipeline, times, software
        ).micro_batch
        chunk_sends_s = (times.send_s + host_s) * plan.virtual_stages
        mean = replace(
            mean,
            forward_s=mean.forward_s + chunk_sends_s,
            input_backward_s=mean.input_backward_s + chunk_sends_s,
        )
        bubble_s = plan.schedule.bubble_s(plan.size, mean)
    return StepCauses(
        compute_s=count * plain.compute_s,
        memory_s=count * plain.memory_s,
        launch_s=count * plain.launch_s,
        recompute_s=count * costs.recompute.total_s,
        tensor_s=count * (forward.tensor_s + backward.tensor_s),
        context_s=count * (forward.context_s + backward.context_s),
        expert_s=count * (forward.expert_s + backward.expert_s),
        pipeline_s=2.0 * count * plan.virtual_stages * send_s,
        data_s=count * (forward.data_s + backward.data_s),
        overlap_s=count * (forward.overlap_s + backward.overlap_s),
        bubble_s=bubble_s,
        host_s=count * (slowest.forward_host_s + slowest.backward_host_s),
    )


def _gradient_times(
    plan: TrainingPlan,
    hardware: TrainingHardware,
    software: SoftwareFacts,
    slowest: StageTime,
    times_s: tuple[float, float],
) -> tuple[float, float]:
    """Exposed time of summing up gradients and gathering parameters, and what computation loses to it.

    Gradients may hide under the last micro-batch's backward pass, all but the last bucket; parameters under
    the first forward pass, all but the first. With v chunks of layers per stage the gradients of a chunk are
    complete p micro-batches before those of the next: the window is (1 + (v - 1) min(p, m)) / v of one.
    Compression adds a pass of the codec.
    """
    reduce_s, gather_s = times_s
    overlap, time, size = software.overlap, slowest.micro_batch, plan.size
    staggered = (size.num_chunks - 1) * min(size.num_stages, size.num_micro_batches)
    windows = (1.0 + staggered) / size.num_chunks
    exposed_s = slowdown_s = 0.0
    both = (
        (reduce_s, windows * time.backward_s, overlap.gradients_frac),
        (gather_s, windows * time.forward_s, overlap.parameters_frac),
    )
    for communication_s, window_s, frac in both:
        last_s = communication_s / software.num_buckets if frac > 0.0 else 0.0
        found = overlapped(
            communication_s - last_s,
            window_s,
            frac,
            compute_slowdown_frac=overlap.compute_slowdown_frac,
            network_slowdown_frac=overlap.network_slowdown_frac,
        )
        exposed_s += last_s + found.exposed_s
        slowdown_s += found.slowdown_s
    codec_bytes = plan.compression.codec_bytes_per_gradient * sum(num_trained_parameters(plan))
    return exposed_s + codec_bytes / hardware.streaming_bytes_per_s, slowdown_s


def _delayed(
    plan: TrainingPlan,
    software: SoftwareFacts,
    condition: StepCondition,
    causes: StepCauses,
    input_bytes_per_token: float,
    num_nodes: float,
) -> StepCauses:
    """The causes with what the slowest rank and late samples add."""
    own_s = causes.compute_s + causes.memory_s + causes.launch_s + causes.recompute_s
    jitter_frac = expected_maximum_frac(software.jitter_frac, plan.num_accelerators)
    slow_frac = condition.slowest_rank_factor - 1.0 + slow_node_frac(software.slow_nodes_frac, num_nodes)
    straggler_s = jitter_frac * causes.total_s + slow_frac * own_s
    causes = replace(causes, straggler_s=straggler_s)
    if condition.input_bytes_per_s is None or input_bytes_per_token <= 0.0:
        return causes
    arrival_s = plan.num_step_tokens * input_bytes_per_token / condition.input_bytes_per_s
    return replace(causes, input_s=max(0.0, arrival_s - causes.total_s))


def _used(
    plan: TrainingPlan,
    hardware: TrainingHardware,
    software: SoftwareFacts,
    causes: StepCauses,
    causal_frac: float,
) -> TrainingStep:
    """The step with MFU, HFU and power."""
    flops = step_flops(plan, has_flash_attention=software.has_flash_attention, causal_frac=causal_frac)
    step_s = causes.total_s
    peak = plan.num_accelerators * hardware.linear.peak_flops_per_s * step_s
    hfu_frac = flops.hardware / peak
    memory_use_frac = min(1.0, hardware.streaming_frac * (causes.memory_s + causes.optimizer_s) / step_s)
    rise_w = float(power_rise_w(hardware.power, memory_use_frac, hfu_frac))
    return TrainingStep(
        **{f"{name}_s": value for name, value in causes.by_name().items()},
        num_tokens=float(plan.num_step_tokens),
        mfu_frac=flops.model / peak,
        hfu_frac=hfu_frac,
        accelerator_rise_w=rise_w,
    )
