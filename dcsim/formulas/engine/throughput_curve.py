"""Throughput of a continuously batching engine over the requests that it holds: what all else follows from.

An engine with n requests, each replaced by another as soon as it ends, completes X(n) of them per second
(Norton's theorem for queues: Chandy, Herzog, Woo, "Parametric analysis of queuing networks", IBM J. Res. Dev.
19(1), 1975). As in mean value analysis (Reiser, Lavenberg, JACM 27(2), 1980) a request meets the n - 1 others
in their mean state. The curve is walked by a, the prompts that come per step of the decodes:

    others that decode      b = a D                    D decodes per request
    time of a token         tau = t(1 + b) + a e(b)    the decodes' step, and what the prompts in it add
    the others' rate        r = a / tau
    a request stays         S = wait + prompt + D tau + clustering,   n = 1 + r S,   X = n / S.

Nothing has to be solved for. ``time_share`` says how the others come: 1 by the clock, so that a long step
brings more of them; 0 whenever another ends, as clients do who wait for their answers; 1/m at one of m
engines that a router keeps level.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from dcsim.formulas.engine.request_mix import Array, RequestMix, stratum_means
from dcsim.formulas.engine.step_table import BEYOND_LIMIT, EngineRules, StepTable, poisson_weights

_NUM_POINTS = 128
_LEAST_SHARE = 1e-4  # of the largest a: the first point above a = 0
_MOST_BUSY = 0.99
_FIXED_POINT_STEPS = 60


@dataclass(frozen=True, slots=True)
class ThroughputCurve:
    """An engine's mean state over the number of requests that it holds, ascending from 1."""

    num_requests: Array
    requests_per_s: Array
    num_decoding: Array
    tpot_sum_s: Array  # of the requests that end in a second
    num_running: Array
    held_tokens: Array  # of the KV cache
    steps_per_s: Array
    rise_w: Array  # above idle, on each of the engine's accelerators
    prompt_cost_s: Array  # by how much a prompt lengthens the steps

    def at(self, num_requests: Array) -> ThroughputCurve:
        """The states with so many requests; below one request, the share of the time with one."""
        share = np.minimum(num_requests, 1.0)

        def interpolated(values: Array) -> Array:
            return share * np.interp(num_requests, self.num_requests, values)

        return ThroughputCurve(*(interpolated(getattr(self, one.name)) for one in fields(self)))

    def up_to(self, place: float) -> ThroughputCurve:
        """The part up to a place between its points: 2.5 lies half way from the third point to the fourth."""
        whole, places = int(place), np.arange(len(self.num_requests))

        def cut(values: Array) -> Array:
            return np.append(values[: whole + 1], np.interp(place, places, values))

        return ThroughputCurve(*(cut(getattr(self, one.name)) for one in fields(self)))


@dataclass(frozen=True, slots=True)
class _Steps:
    """The steps of the engine over a, as a request that comes meets them."""

    prompts: Array  # a: prompts per step of the decodes
    num_others: Array  # decodes
    num_decodes: Array  # with the request's own
    others_s: Array  # step of the others' decodes
    added_s: Array  # what one prompt adds
    token_s: Array  # tau
    rate_per_s: Array  # r
    prompt_share: Array  # of steps that are prompts only
    mean_s: Array
    biased_s: Array  # E[L^2] / E[L]: the step that an instant falls into
    group: Array  # mean number of prompts that share a step
    weights: Array  # of groups of prompts about that mean


def throughput_curve(
    table: StepTable, mix: RequestMix, rules: EngineRules, time_share: float
) -> ThroughputCurve:
    """The curve, up to twice the cap on sequences or up to the token budget of a step."""
    steps = _steps(table, mix, rules, time_share)
    wait_s, prompt_s = _prompt_times(steps, table, mix, rules, time_share)
    decode_s, tpot_s = _decode_times(steps, mix, rules, time_share * np.maximum(prompt_s - steps.mean_s, 0.0))
    stay_s = wait_s + prompt_s + decode_s
    num_requests = np.maximum.accumulate(1.0 + steps.rate_per_s * stay_s)
    requests_per_s = num_requests / stay_s
    held_s = decode_s * held_tokens(mix.mean_decode_context, mix, rules)
    held_s = held_s + prompt_s * held_tokens(table.prefilling_tokens, mix, rules)
    num_running = requests_per_s * (prompt_s + decode_s)
    decode_j = table.decodes_j(steps.num_decodes) / np.maximum(steps.num_decodes, 1.0)
    added_j = table.weighted(table.added_j, steps.num_others, steps.weights)
    return ThroughputCurve(
        num_requests=num_requests,
        requests_per_s=requests_per_s,
        num_decoding=requests_per_s * decode_s,
        tpot_sum_s=requests_per_s * tpot_s,
        num_running=num_running,
        held_tokens=requests_per_s * held_s + shared_tokens(num_running, rules),
        steps_per_s=_steps_per_s(steps, table, mix, requests_per_s, prompt_s + decode_s),
        rise_w=requests_per_s * (mix.mean_num_decodes * decode_j + added_j),
        prompt_cost_s=steps.added_s,
    )


def _steps(table: StepTable, mix: RequestMix, rules: EngineRules, time_share: float) -> _Steps:
    """Steps, their mean and their second moment.

    Long steps bring more prompts, which makes the next one longer: with r L prompts after a step of length L,
    each adding f', Var(L) = Var(L | prompts independent of L) / (1 - (r f')^2), as in gated service (Takagi,
    "Queuing analysis of polling models", ACM Comput. Surv. 20(1), 1988). Only others that decode, and so can
    be replaced meanwhile, count.
    """
    decodes = mix.mean_num_decodes
    prompts = _prompts_per_step(mix, rules)
    others = prompts * decodes
    own = others + 1.0 if decodes else others
    share = np.zeros_like(prompts)
    if rules.interrupts_decodes:  # a step is for prompts if any came in the one before
        for _ in range(_FIXED_POINT_STEPS):
            share = -np.expm1(-prompts * (1.0 - share))
    per_step = prompts * (1.0 - share)
    group = per_step * (rules.admission_interval + rules.admission_wait)
    weights = poisson_weights(group)
    added_s, added_s2 = (
        table.weighted(values, others, weights) for values in (table.added_s, table.added_s2)
    )
    token_s, others_s = table.decodes_s(own) + prompts * added_s, table.decodes_s(others)
    rate_per_s = np.divide(prompts, token_s, out=np.zeros_like(prompts), where=prompts > 0)
    prompts_s = per_step * added_s
    mean_s = (1.0 - share) * others_s + prompts_s
    square = (1.0 - share) * others_s**2 + per_step * added_s2
    if not rules.interrupts_decodes:
        square = square + 2.0 * others_s * prompts_s
    can_follow = decodes * token_s / np.maximum(decodes * token_s + added_s, 1e-12)
    fed = np.clip(time_share * can_follow * rate_per_s * np.gradient(prompts_s, per_step), 0.0, _MOST_BUSY)
    variance = np.maximum(square - mean_s**2, 0.0) / (1.0 - fed**2)
    biased_s = mean_s + variance / np.maximum(mean_s, 1e-12)
    return _Steps(
        prompts, others, own, others_s, added_s, token_s, rate_per_s, share, mean_s, biased_s, group, weights
    )  # fmt: skip


def _prompts_per_step(mix: RequestMix, rules: EngineRules) -> Array:
    """Values of a from 0 to where twice the most sequences run, or a step's tokens are spent."""
    most = BEYOND_LIMIT * rules.max_num_seqs / (mix.mean_num_decodes + 1.0)
    most = min(most, 0.999 * rules.max_num_batched_tokens / (mix.mean_new_tokens + mix.mean_num_decodes))
    return np.concatenate([[0.0], np.geomspace(_LEAST_SHARE * most, most, _NUM_POINTS)])


def _prompt_times(
    steps: _Steps, table: StepTable, mix: RequestMix, rules: EngineRules, time_share: float
) -> tuple[Array, Array]:
    """A request's wait, and the steps of its own prompt.

    It waits for the rest of the running step, half of E[L^2] / E[L] if it came by the clock; for the step
    that is planned already; for the engine's next look; and for prompts that the token budget kept back. Its
    own step holds the decodes and those prompts that came with it; of a group beyond the budget it is in the
    middle.
    """
    step_s, others = steps.mean_s, steps.num_others
    rest_s = steps.biased_s / 2.0
    if time_share == 0.0:  # a client's request reaches the queue a moment after a step ended
        late_s = step_s - rules.request_overhead_s
        rest_s = np.where(late_s > 0.0, late_s, step_s / 2.0)
    is_planned_ahead = rules.is_asynchronous and mix.mean_num_decodes > 0.0
    num_planned = is_planned_ahead + (rules.admission_interval - 1) / 2.0 + rules.admission_wait
    group = 1.0 + time_share * steps.rate_per_s * steps.biased_s + (1.0 - time_share) * steps.group
    num_steps, num_alone = (
        table.of_group(table.num_steps, others, size) for size in (group, np.ones_like(group))
    )
    beside_s = 0.0 if rules.interrupts_decodes else steps.others_s
    prompt_s = beside_s * (num_alone + num_steps) / 2.0
    prompt_s = prompt_s + table.of_group(table.added_s, others, group) * (1.0 + num_alone / num_steps) / 2.0
    kept_back_s = _kept_back_steps(steps, table, mix, rules) * (steps.others_s + steps.added_s / num_alone)
    return rest_s + num_planned * step_s + kept_back_s, prompt_s


def _kept_back_steps(steps: _Steps, table: StepTable, mix: RequestMix, rules: EngineRules) -> Array:
    """Steps that the prompts kept back by the token budget fill, which a new request has before it.

    y tokens too many in a step shrink by the spare c - m of each further one (budget c, mean demand m): they
    add y / 2 + y^2 / (2 (c - m)) tokens x steps, summed over the steps in which they come.
    """
    room = np.maximum(rules.max_num_batched_tokens - steps.num_others, 1.0)
    spare = np.maximum(room - steps.prompts * mix.mean_new_tokens, 1.0)
    first, second = (
        steps.prompts * table.weighted(values, steps.num_others, steps.weights)
        for values in (table.excess_tokens, table.excess_tokens2)
    )
    found: Array = (first / 2.0 + second / (2.0 * spare)) / room
    return found


def _decode_times(
    steps: _Steps, mix: RequestMix, rules: EngineRules, surplus_s: Array
) -> tuple[Array, Array]:
    """Time in which a request decodes, and the mean of its share per token.

    Its own prompt's step was longer than others by a surplus, and so brought more prompts, as do the longer
    steps after it: the surplus returns with every step, rho = r e of it each time, or with every second step
    where steps are planned ahead.
    """
    returned = np.minimum(steps.rate_per_s * steps.added_s, _MOST_BUSY)[:, None]
    num_decodes = stratum_means(np.sort(mix.num_output_tokens)) - 1.0
    num_returns = num_decodes / (2.0 if rules.is_asynchronous else 1.0)
    later_s = surplus_s[:, None] * returned / (1.0 - returned) * (1.0 - returned**num_returns)
    decode_s = mix.mean_num_decodes * steps.token_s + later_s.mean(axis=1)
    is_several = num_decodes > 0.0
    if not is_several.any():
        return decode_s, np.zeros_like(decode_s)
    return decode_s, steps.token_s + (later_s[:, is_several] / num_decodes[is_several]).mean(axis=1)


def held_tokens(num_tokens: float, mix: RequestMix, rules: EngineRules) -> float:
    """Tokens of the KV cache that a request of so many takes: half of a block more, less what it shares."""
    return num_tokens - float(mix.num_cached_tokens.mean()) + rules.block_size / 2.0


def shared_tokens(num_running: Array, rules: EngineRules) -> Array:
    """Tokens of prefixes that n requests hold together: V (1 - (1 - 1/V)^n) of V prefixes are in use."""
    variants = rules.num_prefix_variants
    in_use: Array = variants * (1.0 - (1.0 - 1.0 / variants) ** num_running)
    return rules.num_prefix_tokens * in_use


def _steps_per_s(
    steps: _Steps, table: StepTable, mix: RequestMix, requests_per_s: Array, run_s: Array
) -> Array:
    """Steps per second: each request takes part in its D decodes and in the steps of its prompt."""
    decodes = mix.mean_num_decodes
    if decodes and steps.prompt_share.any():
        return requests_per_s * decodes / steps.num_decodes / (1.0 - steps.prompt_share)
    num_prompt_steps = table.of_group(table.num_steps, steps.num_others, np.ones_like(steps.prompts))
    found: Array = (decodes + num_prompt_steps) / run_s
    return found
