"""An engine with round figures for tests of the closed forms of serving."""

import numpy as np

from dcsim.formulas.engine.capacity import Bound, EngineCapacity
from dcsim.formulas.engine.request_mix import RequestMix, prompt_groups
from dcsim.formulas.engine.step_table import EngineRules, StepTable, step_table
from dcsim.formulas.engine.throughput_curve import ThroughputCurve, throughput_curve
from dcsim.formulas.power import PowerCurve
from tests.formulas.deployments import deployment

POWER = PowerCurve(tdp_w=700.0, idle_w=70.0, active_frac=0.1, memory_frac=0.5, compute_frac=2.0, cap_frac=0.9)


def mix(prompt: float = 400.0, output: float = 100.0, cached: float = 0.0) -> RequestMix:
    """Requests all alike."""
    one = np.ones(64)
    return RequestMix(prompt * one, cached * one, output * one)


def spread_mix(mean_output: float = 100.0) -> RequestMix:
    """Exponential prompts and outputs."""
    rng = np.random.default_rng(1)
    prompts, outputs = rng.exponential((400.0, mean_output), (4096, 2)).T
    return RequestMix(prompts + 1.0, np.zeros(4096), outputs + 1.0)


def rules(**changes: object) -> EngineRules:
    """64 sequences, 2048 tokens in a step, 100,000 tokens of KV cache, plans made step by step."""
    given = {"max_num_seqs": 64, "max_num_batched_tokens": 2048, "num_kv_tokens": 100_000, "block_size": 16}
    return EngineRules(**{**given, **changes})  # type: ignore[arg-type]


def table(of: RequestMix, engine: EngineRules) -> StepTable:
    return step_table(deployment(), of, prompt_groups(of, np.random.default_rng(1)), engine, POWER)


def curve(of: RequestMix, engine: EngineRules, time_share: float = 1.0) -> ThroughputCurve:
    return throughput_curve(table(of, engine), of, engine, time_share)


def capacity_by_hand(num_requests, requests_per_s, saturated=None) -> EngineCapacity:
    """An engine of which only the throughput matters."""
    counts, rates = np.array(num_requests, dtype=float), np.array(requests_per_s)
    by_hand = ThroughputCurve(counts, rates, *([np.ones_like(counts)] * 7))
    return EngineCapacity(by_hand, Bound.STEP_TIME, rates[-1] if saturated is None else saturated)
