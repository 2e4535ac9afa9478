"""An instant estimate of a scenario: the mean steady state in closed form, without a simulation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dcsim.errors import InfeasibleError, Problem, ScenarioError
from dcsim.formulas.engine.capacity import EngineCapacity, engine_capacity
from dcsim.formulas.engine.load import (
    EngineState,
    saturated_state,
    state_in_lockstep,
    state_with_clients,
)
from dcsim.formulas.engine.pool import engine_pool, highest_rate_per_s, state_at_rate
from dcsim.formulas.engine.request_mix import RequestMix, prompt_groups
from dcsim.formulas.engine.step_table import EngineRules, StepTable, step_table
from dcsim.formulas.engine.throughput_curve import throughput_curve
from dcsim.metrics.cost import cost_figures
from dcsim.metrics.energy import ClusterSums, carbon_figures, energy_figures
from dcsim.metrics.figures import Figures
from dcsim.sim.streams import Streams
from dcsim.spec.deployment import ServingDeployment, resolve_deployment
from dcsim.spec.scenario import Scenario
from dcsim.spec.traffic import SharedPrefix
from dcsim.study.forecast import Forecast, ServingForecast
from dcsim.study.offered_traffic import OfferedTraffic, offered_traffic
from dcsim.units import SECONDS_PER_HOUR

_MOST_POOLED = 8  # engines that a router keeps level: more of them hardly change the mean


@dataclass(frozen=True, slots=True)
class _Workload:
    """One workload, estimated: what one engine can do, and its state."""

    served: ServingDeployment
    offered: OfferedTraffic
    accepted_frac: float
    mix: RequestMix
    table: StepTable
    capacity: EngineCapacity
    highest_rate_per_s: float  # that an engine bears
    state: EngineState
    is_overloaded: bool

    @property
    def num_engines(self) -> int:
        return self.served.num_replicas * self.served.num_lanes


def estimate(scenario: Scenario) -> Forecast:
    """The mean steady state of a scenario, from closed forms alone; some milliseconds.

    What it rests on, what it leaves out and how far it is from the simulation is in docs/estimate.md.

    Raises
    ------
    InfeasibleError
        As :func:`dcsim.run` does; or every request is longer than can be served.
    ScenarioError
        A trace cannot be read, or nothing is served.
    """
    if not scenario.serving:
        remedy = "Training jobs are estimated by dcsim.estimate_training"
        raise ScenarioError(Problem("the scenario serves nothing", "serving", remedy=remedy))
    for name, one in scenario.serving.items():
        if one.prefill is not None:
            message, remedy = "no closed form covers prefill replicas", "Simulate it with dcsim run"
            raise ScenarioError(Problem(message, f"serving.{name}.prefill", remedy=remedy))
    workloads = {name: _workload(scenario, name) for name in scenario.serving}
    serving = {name: _serving_forecast(one) for name, one in workloads.items()}
    idle_w = next(iter(workloads.values())).served.accelerator.idle_w
    sums = _sums_of_a_second(workloads, serving)
    energy = energy_figures(scenario, idle_w, sums)
    carbon = carbon_figures(scenario, energy, sums) or {}
    cost = cost_figures(scenario, energy, sums) or {}
    return Forecast(
        serving=serving,
        it_w=_number(energy, "mean_it_w") or 0.0,
        facility_w=_number(energy, "mean_facility_w"),
        accelerator_w=_number(energy, "mean_accelerator_w") or 0.0,
        it_j_per_output_token=_number(energy, "it_j_per_output_token"),
        facility_j_per_output_token=_number(energy, "facility_j_per_output_token"),
        usd_per_million_output_tokens=_number(cost, "usd_per_million_output_tokens"),
        usd_per_million_total_tokens=_number(cost, "usd_per_million_total_tokens"),
        usd_per_accelerator_hour=_number(cost, "usd_per_accelerator_hour"),
        usd_per_yr=_number(cost, "usd_per_yr"),
        kg_per_million_output_tokens=_number(carbon, "kg_per_million_output_tokens"),
    )


def _workload(scenario: Scenario, name: str) -> _Workload:
    served, offered = resolve_deployment(scenario, name), offered_traffic(scenario, name)
    prefix = scenario.serving[name].traffic.shared_prefix if served.has_prefix_caching else None
    mix, accepted_frac = _mix(offered, served, prefix)
    rules = _rules(served, prefix)
    groups = prompt_groups(mix, Streams(seed=0, replication=0)["estimate.groups"])
    table = step_table(served.deployment, mix, groups, rules, served.accelerator.power_curve)
    num_engines = served.num_replicas * served.num_lanes
    num_pooled = served.router.num_pooled(served.num_replicas) * served.num_lanes
    time_share = 0.0 if offered.rate_per_s is None else 1.0 / num_pooled
    capacity = engine_capacity(throughput_curve(table, mix, rules, time_share), mix, rules)
    pool = engine_pool(capacity, min(num_pooled, _MOST_POOLED), scenario.duration_s or SECONDS_PER_HOUR)
    is_overloaded = offered.num_clients is None
    state = None
    if offered.num_clients is not None:
        num_clients = offered.num_clients / num_engines
        if mix.has_equal_lengths:
            state = state_in_lockstep(table, mix, rules, num_clients)
        state = state or state_with_clients(capacity, num_clients, rules.request_overhead_s)
    elif offered.rate_per_s is not None:
        state = state_at_rate(pool, offered.rate_per_s * accepted_frac / num_engines)
        is_overloaded = state is None
    elif offered.num_requests is not None:
        state = state_with_clients(capacity, offered.num_requests / num_engines, 0.0)
    state = state or saturated_state(capacity)
    highest = highest_rate_per_s(pool)
    return _Workload(served, offered, accepted_frac, mix, table, capacity, highest, state, is_overloaded)


def _mix(
    offered: OfferedTraffic, served: ServingDeployment, prefix: SharedPrefix | None
) -> tuple[RequestMix, float]:
    """The requests that are served, and which share of those offered they are.

    If that is all of them, the sample is scaled to the exact means. Of prefixes asked for alike, those stay
    cached that the KV cache has room for.
    """
    prompts, outputs = offered.num_prompt_tokens, offered.num_output_tokens
    is_accepted = prompts + outputs <= served.max_request_tokens
    if not is_accepted.any():
        raise InfeasibleError(
            f"serving.{served.name}: every request is longer than the {served.max_request_tokens} tokens "
            "that can be served; shorten them, or enlarge kv_cache or max_model_len"
        )
    if is_accepted.all() and offered.mean_tokens is not None:
        prompts = np.maximum(prompts * (offered.mean_tokens[0] / prompts.mean()), 1.0)
        outputs = np.maximum(outputs * (offered.mean_tokens[1] / outputs.mean()), 1.0)
    prompts, outputs = prompts[is_accepted], outputs[is_accepted]
    cached = np.zeros_like(prompts)
    if prefix is not None and prefix.num_tokens >= served.block_size:
        num_blocks = prefix.num_tokens // served.block_size
        found = np.minimum(num_blocks, (prompts - 1.0) // served.block_size) * served.block_size
        cached = found * min(1.0, served.num_blocks_per_lane / (num_blocks * prefix.num_variants))
    return RequestMix(prompts, cached, outputs), float(is_accepted.mean())


def _rules(served: ServingDeployment, prefix: SharedPrefix | None) -> EngineRules:
    return EngineRules(
        max_num_seqs=served.max_num_seqs,
        max_num_batched_tokens=served.max_num_batched_tokens,
        num_kv_tokens=served.num_blocks_per_lane * served.block_size,
        block_size=served.block_size,
        num_prefix_tokens=prefix.num_tokens if prefix else 0,
        num_prefix_variants=prefix.num_variants if prefix else 1,
        num_lanes=served.num_lanes,
        request_overhead_s=served.request_overhead_s,
        is_asynchronous=served.engine.has_asynchronous_scheduling,
        interrupts_decodes=served.scheduler.interrupts_decodes,
        reserves_whole_prompt=served.scheduler.reserves_whole_prompt,
        admission_interval=served.scheduler.admission_interval,
        admission_wait=served.scheduler.admission_wait,
    )


def _serving_forecast(one: _Workload) -> ServingForecast:
    state, mix, served = one.state, one.mix, one.served
    rate_per_s, offered_per_s = state.requests_per_s, one.offered.rate_per_s
    all_per_s = rate_per_s * one.num_engines if offered_per_s != 0.0 else 0.0
    if one.offered.num_clients is not None:
        offered_per_s = all_per_s
    capacity_per_s = one.highest_rate_per_s * one.num_engines / one.accepted_frac
    num_prompts = float(mix.num_prompt_tokens.mean())
    num_outputs = float(mix.num_output_tokens.mean())
    sequence_steps = rate_per_s * (mix.mean_num_decodes + float(one.table.num_steps[0, 1]))
    ttft_s = tpot_s = e2e_s = None
    if not one.is_overloaded:
        e2e_s = served.request_overhead_s + state.num_requests / rate_per_s
        ttft_s = e2e_s - state.num_decoding / rate_per_s
        tpot_s = state.tpot_sum_s / rate_per_s if mix.mean_num_decodes > 0 else None
    return ServingForecast(
        offered_requests_per_s=offered_per_s,
        capacity_requests_per_s=capacity_per_s,
        saturated_requests_per_s=one.capacity.saturated_requests_per_s * one.num_engines / one.accepted_frac,
        load_frac=None if offered_per_s is None else offered_per_s / capacity_per_s,
        is_overloaded=one.is_overloaded,
        bound_by=one.capacity.bound,
        mean_prompt_tokens=num_prompts,
        mean_output_tokens=num_outputs,
        requests_per_s=all_per_s,
        ttft_s=ttft_s,
        tpot_s=tpot_s,
        e2e_s=e2e_s,
        num_outstanding=None if e2e_s is None else all_per_s * e2e_s,
        num_running=state.num_running * one.num_engines,
        batch_size=sequence_steps / state.steps_per_s,
        kv_occupancy_frac=state.held_tokens / (served.num_blocks_per_lane * served.block_size),
        utilization_frac=state.busy_frac,
        output_tokens_per_s=all_per_s * num_outputs,
        prompt_tokens_per_s=all_per_s * num_prompts,
        num_accelerators=served.num_replicas * served.accelerators_per_replica,
        num_replicas=served.num_replicas,
        memory=served.memory,
    )


def _sums_of_a_second(
    workloads: Mapping[str, _Workload], serving: Mapping[str, ServingForecast]
) -> ClusterSums:
    """Sums over one second of the steady state, from which energy, cost and carbon follow as in a run.

    Nothing that is read of them needs the accelerators' time by phase.
    """
    return ClusterSums(
        duration_s=1.0,
        rise_j=sum(
            one.state.rise_w * one.num_engines * one.served.accelerators_per_replica
            for one in workloads.values()
        ),
        num_output_tokens=sum(one.output_tokens_per_s for one in serving.values()),
        num_prompt_tokens=sum(one.prompt_tokens_per_s for one in serving.values()),
        prefill_accelerator_s=0.0,
        decode_accelerator_s=0.0,
    )


def _number(figures: Figures, key: str) -> float | None:
    found = figures.get(key)
    return float(found) if isinstance(found, int | float) else None
