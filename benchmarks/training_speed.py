"""How long the closed form of a training step and a search over plans take.

Run ``python -m benchmarks.training_speed``: processor time of one process, the mean of many after the first.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from dcsim.formulas.training.step import StepCondition
from dcsim.spec.document import Document
from dcsim.spec.scenario import Scenario
from dcsim.spec.training.deployment import resolve_training
from dcsim.study.strategy import rank_strategies
from dcsim.study.training_estimate import estimate_training

CASES = {
    "Llama 3.1 8B, 8 H100": ("llama-3.1-8b", "dgx-h100", 1, {"tensor": 2}, 64),
    "Llama 3.1 405B, 16,384 H100": (
        "llama-3.1-405b",
        "dgx-h100",
        2048,
        {"tensor": 8, "pipeline": 16, "virtual_stages": 8},
        2048,
    ),
    "DeepSeek-V3, 2,048 H800": ("deepseek-v3", "hgx-h800", 256, {"pipeline": 16, "expert": 64}, 15360),
}
REPEATS = 200


def scenario_of(model: str, node: str, num_nodes: int, sizes: dict[str, int], sequences: int) -> Scenario:
    """One training job alone."""
    job = {
        "model": model,
        "parallelism": sizes,
        "batch": {"sequences": sequences, "micro": 1, "tokens": 4096},
        "recompute": "full",
        "tokens": 1e12,
    }
    value = {"name": "speed", "cluster": {"node": node, "num_nodes": num_nodes}, "training": {"job": job}}
    return Scenario.from_document(Document(value, Path(), {}))


def mean_ms(call: Callable[[int], object]) -> float:
    """Processor time of a call in milliseconds, the first one left out."""
    call(0)
    started_s = time.process_time()
    for number in range(1, REPEATS + 1):
        call(number)
    return 1e3 * (time.process_time() - started_s) / REPEATS


def main() -> None:
    """Print a table."""
    print("| job | step under a new condition, ms | whole estimate, ms | plans searched | ms each |")
    print("|---|---|---|---|---|")
    for label, case in CASES.items():
        scenario = scenario_of(*case)
        deployment = resolve_training(scenario, "job")
        step_ms = mean_ms(lambda n, d=deployment: d.step(StepCondition(scale_out_share_frac=1 - 1e-6 * n)))
        estimate_ms = mean_ms(lambda n, s=scenario: estimate_training(s))
        started_s = time.process_time()
        num_plans = rank_strategies(scenario, "job").num_considered
        plan_ms = 1e3 * (time.process_time() - started_s) / num_plans
        print(f"| {label} | {step_ms:.2f} | {estimate_ms:.2f} | {num_plans} | {plan_ms:.2f} |")


if __name__ == "__main__":
    main()
