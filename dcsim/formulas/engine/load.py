"""The mean state of an engine with clients who wait for their answers, or with requests that always wait."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dcsim.formulas.engine.capacity import EngineCapacity
from dcsim.formulas.engine.request_mix import Array, RequestMix
from dcsim.formulas.engine.step_table import EngineRules, StepTable
from dcsim.formulas.engine.throughput_curve import ThroughputCurve, held_tokens, shared_tokens


@dataclass(frozen=True, slots=True)
class EngineState:
    """Means over time of one engine."""

    num_requests: float  # those that wait too; at saturation as many as the engine takes up
    requests_per_s: float
    num_decoding: float
    tpot_sum_s: float  # of the requests that end in a second
    num_running: float
    held_tokens: float
    steps_per_s: float
    rise_w: float
    busy_frac: float


def mean_state(states: ThroughputCurve, chances: Array, beyond: float) -> EngineState:
    """The mean over states with their chances; with the chance ``beyond`` all is as in the last one."""

    def mean(values: Array) -> float:
        return float((chances * values).sum() + beyond * values[-1])

    return EngineState(
        num_requests=mean(states.num_requests),
        requests_per_s=mean(states.requests_per_s),
        num_decoding=mean(states.num_decoding),
        tpot_sum_s=mean(states.tpot_sum_s),
        num_running=mean(states.num_running),
        held_tokens=mean(states.held_tokens),
        steps_per_s=mean(states.steps_per_s),
        rise_w=mean(states.rise_w),
        busy_frac=mean(np.minimum(states.num_requests, 1.0)),
    )


def state_with_clients(capacity: EngineCapacity, num_clients: float, pause_s: float) -> EngineState:
    """The state with clients who send a request ``pause_s`` after the last one ended: N = n + X(n) pause.

    Those beyond the limit wait.
    """
    curve = capacity.curve
    in_all = curve.num_requests + curve.requests_per_s * pause_s
    if num_clients > in_all[-1]:
        full = saturated_state(capacity)
        return replace(full, num_requests=num_clients - full.requests_per_s * pause_s)
    share = min(num_clients / float(in_all[0]), 1.0)
    num_requests = share * float(np.interp(num_clients, in_all, curve.num_requests))
    return mean_state(curve.at(np.array([num_requests])), np.ones(1), 0.0)


def saturated_state(capacity: EngineCapacity) -> EngineState:
    """The state while requests always wait: that at the limit, the slower for what preemptions waste."""
    last = np.eye(len(capacity.curve.num_requests))[-1]
    found = mean_state(capacity.curve, last, 0.0)
    slower = capacity.saturated_requests_per_s / found.requests_per_s
    return replace(
        found,
        requests_per_s=capacity.saturated_requests_per_s,
        steps_per_s=slower * found.steps_per_s,
    )


def state_in_lockstep(
    table: StepTable, mix: RequestMix, rules: EngineRules, num_clients: float
) -> EngineState | None:
    """The state with clients whose requests are all alike: those whose prompts shared a step stay together.

    A group is as many prompts as the token budget holds. If that is all clients, a round is the group's
    prompts and D steps of decodes. Otherwise m groups follow one another, step by step. A request then waits
    for the step that runs, and where steps are planned ahead for the next one, and has its own: w = 3 (or 2)
    steps, in which groups had their prompts, w - w (w - 1) / 2m of them on average. The others' delay its
    decodes. None for requests that decode nothing, or cannot all run.
    """
    decodes, room = mix.mean_num_decodes, rules.max_num_batched_tokens - num_clients
    tokens = held_tokens(mix.mean_decode_context, mix, rules)
    shared = float(shared_tokens(np.array(num_clients), rules))
    has_room = num_clients * tokens + shared <= rules.num_kv_tokens and room >= 1.0
    if not decodes or not has_room or not 1.0 <= num_clients <= rules.max_num_seqs:
        return None
    size = min(num_clients, max(1.0, room // mix.mean_new_tokens))
    num_groups = num_clients / size
    num_waited = min(num_groups, 3.0 if rules.is_asynchronous else 2.0)
    num_long = num_waited - num_waited * (num_waited - 1.0) / (2.0 * num_groups)
    beside, group = np.array([num_clients - size]), np.array([size])
    added_s = float(table.of_group(table.added_s, beside, group)[0])
    decode_step_s = float(table.decodes_s(np.array([num_clients]))[0])
    first_s = num_long * added_s + (num_waited * decode_step_s if num_groups > 1.0 else 0.0)
    decode_s = decodes * decode_step_s + (num_groups - num_long) * added_s
    requests_per_s = num_clients / (first_s + decode_s + rules.request_overhead_s)
    joules = (decodes + num_waited) * float(table.decodes_j(np.array([num_clients]))[0])
    joules += num_groups * float(table.of_group(table.added_j, beside, group)[0])
    return EngineState(
        num_requests=requests_per_s * (first_s + decode_s),
        requests_per_s=requests_per_s,
        num_decoding=requests_per_s * decode_s,
        tpot_sum_s=requests_per_s * decode_s / decodes,
        num_running=requests_per_s * (first_s / num_waited + decode_s),
        held_tokens=requests_per_s * (first_s / num_waited + decode_s) * tokens + shared,
        steps_per_s=(decodes + num_waited) * requests_per_s / num_clients,
        rise_w=joules * requests_per_s / num_clients,
        busy_frac=requests_per_s * (first_s + decode_s) / num_clients,
    )
