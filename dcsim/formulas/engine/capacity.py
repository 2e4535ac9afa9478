"""What an engine can do at most, what sets the limit, and what preemptions cost beyond it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from dcsim.formulas.engine.request_mix import Array, RequestMix
from dcsim.formulas.engine.step_table import EngineRules
from dcsim.formulas.engine.throughput_curve import ThroughputCurve

_WORTHWHILE_GAIN = 1.1  # a limit is one if twice of it would give a tenth more


class Bound(StrEnum):
    """What limits the capacity of an engine."""

    STEP_TIME = "step time"
    KV_CACHE = "KV cache"
    MAX_NUM_SEQS = "max_num_seqs"


@dataclass(frozen=True, slots=True)
class EngineCapacity:
    """The throughput curve up to the limit, which limit that is, and the throughput beyond it."""

    curve: ThroughputCurve
    bound: Bound
    saturated_requests_per_s: float


def engine_capacity(curve: ThroughputCurve, mix: RequestMix, rules: EngineRules) -> EngineCapacity:
    """The limit is where all sequence slots are taken, the KV cache is full, or a step's tokens are spent."""
    by_sequences = _crossing(curve.num_running, rules.max_num_seqs)
    by_cache = _crossing(curve.held_tokens, rules.num_kv_tokens)
    place = min(by_sequences, by_cache)
    if place == len(curve.num_requests) - 1:
        return EngineCapacity(curve, Bound.STEP_TIME, float(curve.requests_per_s[-1]))
    is_cache = by_cache < by_sequences
    if is_cache:
        bound, doubled = Bound.KV_CACHE, _crossing(curve.held_tokens, 2.0 * rules.num_kv_tokens)
    else:
        bound, doubled = Bound.MAX_NUM_SEQS, _crossing(curve.num_running, 2.0 * rules.max_num_seqs)
    whole, cut = curve.up_to(doubled), curve.up_to(place)
    if whole.requests_per_s.max() < _WORTHWHILE_GAIN * cut.requests_per_s.max():
        bound = Bound.STEP_TIME
    most_per_s = float(cut.requests_per_s[-1])
    waste_s = preemption_cost_s(cut, mix, rules) if is_cache else 0.0
    return EngineCapacity(cut, bound, 1.0 / (1.0 / most_per_s + waste_s))


def preemption_cost_s(curve: ThroughputCurve, mix: RequestMix, rules: EngineRules) -> float:
    """Time that a full KV cache costs for each request served.

    The first in the queue needs p tokens and waits until so many are free: the free space is uniform in
    [0, p]. Until the next request ends, those that run grow by G tokens, exponential about D = E[N - 1]; each
    time the space runs out a request of p tokens is preempted and computed again:

        preemptions = E[sum_k P(G > F + k p)] = (1 - e^(-p'/D)) D / p' / (1 - e^(-p/D)),

    with p' = E[p^2] / E[p], since long prompts wait longer at the head. A scheduler that takes blocks chunk
    by chunk moreover begins prompts longer than a step's budget c whenever c is free, and throws away what it
    has computed: in (p - c) / p of the steps.

    Example (p 1000, D 1000, no long prompts): 1 preemption for each request served.
    """
    new, decodes = mix.num_new_tokens, max(mix.mean_num_decodes, 1.0)
    mean, biased = mix.mean_new_tokens, float((new * new).mean() / new.mean())
    ratio = biased / decodes
    num_preemptions = -math.expm1(-ratio) / ratio / -math.expm1(-mean / decodes)
    added_s = float(curve.prompt_cost_s[-1])
    wasted_s = num_preemptions * added_s
    if not rules.reserves_whole_prompt:
        budget = rules.max_num_batched_tokens
        begun = float(np.maximum(new - budget, 0.0).mean()) / mean
        num_steps = decodes / max(float(curve.num_decoding[-1]), 1.0)
        wasted_s += num_steps * begun * added_s * budget / mean
    return wasted_s


def _crossing(values: Array, limit: float) -> float:
    """Where values first exceed a limit, as a place between points; the last place if they never do."""
    above = np.flatnonzero(values > limit)
    if not len(above):
        return float(len(values) - 1)
    place = int(above[0])
    if place == 0:
        return 0.0
    low, high = values[place - 1], values[place]
    return place - 1 + float((limit - low) / (high - low))
