"""Estimates against simulations of the same scenarios: the tables of docs/estimate.md.

    python -m benchmarks.accuracy.estimate_vs_simulation [-o docs/estimate.md]

Prints two tables in Markdown, or puts them between the marks of a page. The first is of chosen deployments at
shares of the capacity that the estimate finds. The second is of deployments drawn at random (model, node,
engine, parallelism, router, lengths, load), so that nothing could be tuned to them. Errors are
estimate / simulation - 1; the estimate is given the rate that came in the simulation.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import dcsim
from dcsim.study.gallery import gallery

MARKS = ("<!-- tables: begin -->\n", "<!-- tables: end -->\n")
COMMON = {"duration": "20 min", "warmup": "4 min", "replications": 3, "calibration_draws": 0}
RATE = "serving.chat.traffic.arrivals"
SHARES = (0.1, 0.4, 0.7, 0.85)
ERRORS = ("TTFT", "TPOT", "E2E", "output tokens/s", "J/token", "USD/token")
NUM_RANDOM, NUM_REQUESTS, SEED = 120, 3_000, 20
NODES = ("dgx-a100", "dgx-h100", "dgx-h200", "dgx-b200", "l40s-4x")
LENGTHS = "serving.chat.traffic.lengths"


@dataclass(frozen=True, slots=True)
class Case:
    """One comparison: a scenario of the gallery, varied; at a share of its capacity, or as it is."""

    label: str
    base: str = "azure-conv"
    settings: Mapping[str, object] = field(default_factory=dict)
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out: the errors, unless the simulation had no steady state or the scenario cannot be."""

    case: Case
    load_frac: float
    is_stable: bool
    errors: tuple[float, ...]


def chosen_cases() -> list[Case]:
    """The gallery as it is, and deployments unlike each other at four loads."""
    eight = {
        "serving.chat.model": "llama-3.1-8b",
        "serving.chat.parallelism.tensor": 1,
        "serving.chat.num_replicas": 8,
    }
    b200 = {"cluster.node": "dgx-b200", "serving.chat.parallelism.tensor": 2, "serving.chat.num_replicas": 4}
    mixtral = {
        "serving.chat.model": "mixtral-8x7b",
        "serving.chat.parallelism.tensor": 2,
        "serving.chat.num_replicas": 4,
    }
    code = {LENGTHS: {"policy": "lognormal", "prompt_mean": 2000, "output_mean": 30, "cv": 1.2}}
    long = {LENGTHS: {"policy": "lognormal", "prompt_mean": 20000, "output_mean": 300, "cv": 0.5}}
    chat = {LENGTHS: {"policy": "lognormal", "prompt_mean": 300, "output_mean": 600, "cv": 1.0}}
    loaded = {
        "Llama 70B, H100 TP4, conversation": {},
        "the same, random router": {"serving.chat.router": "random"},
        "the same, pipeline 2, tensor 2": {"serving.chat.parallelism": {"tensor": 2, "pipeline": 2}},
        "the same, prefill first": {"serving.chat.scheduler.policy": "prefill_first"},
        "the same, TensorRT-LLM": {"serving.chat.engine": "trtllm"},
        "the same, SGLang": {"serving.chat.engine": "sglang"},
        "the same, long answers": chat,
        "the same, 30 output tokens": code,
        "the same, prompts of 20,000": long,
        "Llama 70B, B200 TP2": b200,
        "Llama 8B, H100": eight,
        "Mixtral 8x7B, H100 TP2": mixtral,
    }
    cases = [
        Case(f"{name} (gallery)", name) for name in ("azure-conv", "batch-limit-h200", "moe-closed-loop")
    ]
    cases += [
        Case(label, "azure-conv", settings, share) for label, settings in loaded.items() for share in SHARES
    ]
    clients = "serving.agents.traffic.arrivals.concurrency"
    cases += [Case(f"DeepSeek-V3, H200, {n} clients", "moe-closed-loop", {clients: n}) for n in (4, 16, 256)]
    alike = {"policy": "fixed", "prompt": 1000, "output": 200}
    loop = {"arrivals": {"policy": "closed_loop", "concurrency": 64}, "lengths": alike}
    return [
        *cases,
        Case("Llama 70B, 64 clients, equal lengths", "azure-conv", {"serving.chat.traffic": loop}),
    ]


def random_cases() -> list[Case]:
    """Deployments drawn at random; those that cannot be are left out."""
    draw, found = random.Random(SEED), []
    while len(found) < NUM_RANDOM:
        prompt, output = round(10 ** draw.uniform(1.5, 4.0)), round(10 ** draw.uniform(1.0, 3.2))
        lengths = {
            "policy": "lognormal",
            "prompt_mean": prompt,
            "output_mean": output,
            "cv": round(draw.uniform(0.2, 1.3), 2),
        }
        settings = {
            "cluster.node": draw.choice(NODES),
            "economics": {"prices": "on-demand-2026"},
            "serving.chat.model": draw.choice(dcsim.entry_names("models")),
            "serving.chat.precision": draw.choice(["bf16", "fp8"]),
            "serving.chat.engine": draw.choice(["vllm", "vllm", "trtllm", "sglang"]),
            "serving.chat.num_replicas": draw.choice([1, 2, 4]),
            "serving.chat.parallelism": {
                "tensor": draw.choice([1, 2, 4, 8]),
                "pipeline": draw.choice([1, 1, 1, 2]),
            },
            "serving.chat.router": draw.choice(["random", "least_outstanding", "power_of_two"]),
            LENGTHS: lengths,
        }
        case = Case("random", "azure-conv", settings, round(draw.uniform(0.05, 0.7), 3))
        try:
            dcsim.estimate(dcsim.load(gallery()["azure-conv"], overrides={**COMMON, **settings}))
        except dcsim.DcsimError:
            continue
        found.append(case)
    return found


def outcome(case: Case) -> Outcome:
    """Simulate a case, and estimate it at the rate that came."""
    scenario = dcsim.load(gallery()[case.base], overrides={**COMMON, **case.settings})
    (name,) = scenario.serving
    if case.share is not None:
        rate_per_s = case.share * dcsim.estimate(scenario).serving[name].capacity_requests_per_s
        settings: dict[str, object] = {RATE: {"policy": "poisson", "rate": f"{rate_per_s} /s"}}
        if case.label == "random":
            duration_s = max(NUM_REQUESTS / rate_per_s, 120.0)
            settings |= {"duration": f"{duration_s} s", "warmup": f"{0.2 * duration_s} s", "replications": 1}
        scenario = scenario.replace(settings)
    summary = dcsim.run(scenario, num_processes=1).summary
    served = summary["serving"][name]
    arrivals = scenario.serving[name].traffic.arrivals
    if arrivals is not None and arrivals.mean_rate_per_s is not None:
        rate = f"{served['offered_requests_per_s']} /s"
        scenario = scenario.replace({f"serving.{name}.traffic.arrivals.rate": rate})
    forecast = dcsim.estimate(scenario)
    one = forecast.serving[name]
    if served["stability"]["verdict"] != "stable" or one.is_overloaded:
        return Outcome(case, one.load_frac or 0.0, False, ())
    pairs = (
        (one.ttft_s, served["ttft_s"]["mean"]),
        (one.tpot_s, served["tpot_s"]["mean"]),
        (one.e2e_s, served["e2e_s"]["mean"]),
        (one.output_tokens_per_s, served["output_tokens_per_s"]),
        (forecast.it_j_per_output_token, summary["energy"]["it_j_per_output_token"]),
        (forecast.usd_per_million_output_tokens, summary["cost"]["usd_per_million_output_tokens"]),
    )
    return Outcome(case, one.load_frac or 0.0, True, tuple(ours / theirs - 1.0 for ours, theirs in pairs))


def tables(chosen: list[Outcome], drawn: list[Outcome]) -> str:
    """Both tables in Markdown."""
    lines = ["| scenario | load | " + " | ".join(ERRORS) + " |", "|---" * (len(ERRORS) + 2) + "|"]
    for one in chosen:
        cells = [f"{100 * error:+.1f} %" for error in one.errors] or ["no steady state"] + [""] * (
            len(ERRORS) - 1
        )
        lines.append(f"| {one.case.label} | {100 * one.load_frac:.0f} % | {' | '.join(cells)} |")
    stable = np.abs([one.errors for one in drawn if one.is_stable])
    lines += [
        "",
        f"{NUM_RANDOM} deployments drawn at random, loads of 5 to 70 %; {len(stable)} with a steady state:",
        "",
    ]
    lines += ["| size of the error | " + " | ".join(ERRORS) + " |", "|---" * (len(ERRORS) + 1) + "|"]
    for label, share in (("median", 0.5), ("80 % are below", 0.8), ("90 % are below", 0.9), ("largest", 1.0)):
        cells = [f"{100 * value:.1f} %" for value in np.quantile(stable, share, axis=0)]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, help="page whose tables to replace")
    page = parser.parse_args().output
    chosen, drawn = chosen_cases(), random_cases()
    with ProcessPoolExecutor() as executor:
        found = list(executor.map(outcome, [*chosen, *drawn]))
    text = tables(found[: len(chosen)], found[len(chosen) :])
    if page is None:
        print(text)
        return
    begin, end = MARKS
    before, rest = page.read_text(encoding="utf-8").split(begin)
    page.write_text(before + begin + text + end + rest.split(end)[1], encoding="utf-8")


if __name__ == "__main__":
    main()
