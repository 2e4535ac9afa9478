"""Published training steps against the formulas: errors by set, and where they come from.

    python -m benchmarks.accuracy.training ../shared/truth/training.csv [--fit] [--worst 5] [--by tensor]

Errors are predicted / measured - 1 of the step time. Each framework has one fitted scalar, its efficiency,
fitted in logarithms on the rows of FITTED; the catalogue carries the values, ``--fit`` finds them again. The
share of short runs' rates that an accelerator sustains was fitted on the rows of SUSTAINED, one for each
datatype, where no measurement of kernels in training was published, and so was the host's time for experts.
Rows that anything was fitted on are left out, but for vTrain's half, which stands by itself.

The others are held out, not blind: the equations, the estimates in the presets and what the sets say of the
runs were improved with these errors in view. The rates of products on B200 in 16 bits were measured by
SimuMax's authors, on the machine of their steps. Of SC 2021, table 1, the fastest micro-batch and number of
chunks that fit are taken, since neither is printed.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from benchmarks.accuracy.training_case import Case
from benchmarks.accuracy.training_prediction import Prediction, fitted_efficiency, predict, preset
from benchmarks.accuracy.training_rows import read_rows
from benchmarks.accuracy.training_sets import all_cases
from dcsim.formulas.training.plan import TrainingPlan

FITTED: Mapping[str, tuple[tuple[str, str], ...]] = {  # framework: (set, beginning of the label) of its rows
    "megatron-2021": (("vTrain, half that may be fitted", ""),),
    "megatron": (
        ("SimuMax B200 bf16, dense", "llama3-70b truncated to 12 layers, 8 x B200-SXM pp2 none bf16 B128"),
        ("SimuMax B200 bf16, dense", "llama3.1-405b truncated to 4 layers, 8 x B200-SXM tp4 none bf16 B64"),
    ),
    "fsdp": (("llm-foundry, A100", "mpt-7b, 8 x A100-80GB mb6 none"),),
    "deepspeed": (("Pythia", "pythia-1.4b"),),
    "maxtext": (
        ("MaxText TPU-v5p", "maxtext-128b"),
        ("MaxText TPU-v5e", "maxtext-64b"),
        ("MaxText TPU-v4", "maxtext-52b"),
    ),
}
SUSTAINED: tuple[tuple[str, str], ...] = (  # rows that sustained rates and the host's time were fitted on
    ("llm-foundry, H100", "mpt-7b, 8 x H100-80GB mb6 none"),
    ("llm-foundry, H100", "mpt-1b, 8 x H100-80GB mb14 none"),
    ("Megatron-Bridge 2026, dense fp8", "llama3-70b, 64 x H100 tp4 pp8"),
    ("Megatron-Bridge 2026, dense nvfp4", "llama3-70b, 64 x GB200"),
    ("Megatron-Bridge 2026, dense nvfp4", "llama3.1-405b, 256 x GB200"),
    ("Megatron-Bridge 2026, dense nvfp4", "llama3.1-405b, 256 x GB300"),
    ("MLPerf llama3.1, fp8", "llama3.1-405b, 256 x Blackwell GPU (B200"),
    ("Megatron-Bridge 2025, MoE fp8", "qwen3-30b-a3b, 8 x B200 ep8 FP8-MX"),  # the host's time for experts
    ("Megatron-Bridge 2026, MoE fp8", "qwen3-30b-a3b, 8 x B200 ep8 MXFP8"),  # the same step, published again
)
KEYS: Mapping[str, Callable[[TrainingPlan], object]] = {
    "tensor": lambda plan: plan.tensor,
    "pipeline": lambda plan: plan.pipeline,
    "context": lambda plan: plan.context,
    "expert": lambda plan: plan.expert,
    "micro": lambda plan: plan.micro_sequences,
    "tokens": lambda plan: round(plan.num_micro_tokens),
    "hidden": lambda plan: plan.shape.hidden_size,
    "layers": lambda plan: plan.shape.num_layers,
    "length": lambda plan: plan.num_sequence_tokens,
    "ranks": lambda plan: plan.num_accelerators,
    "precision": lambda plan: str(plan.linear),
    "recompute": lambda plan: str(plan.recompute),
    "batches": lambda plan: plan.num_micro_batches,
}


def fit_cases(cases: Sequence[Case], framework: str) -> list[Case]:
    """The rows that a framework's efficiency is fitted on."""
    own = [case for case in cases if case.framework == framework]
    return matching(own, FITTED.get(framework, ()))


def matching(cases: Sequence[Case], chosen: Sequence[tuple[str, str]]) -> list[Case]:
    """The cases of some sets whose labels begin as named."""
    return [
        case
        for case in cases
        if any(case.set_name == name and case.label.startswith(label) for name, label in chosen)
    ]


def errors_line(name: str, found: Sequence[Prediction]) -> str:
    """A row of the table: count, mean absolute error, bias (mean), median and worst, in percent."""
    errors = [100.0 * one.error_frac for one in found]
    mean = statistics.fmean(abs(error) for error in errors)
    bias, median = statistics.fmean(errors), statistics.median(abs(error) for error in errors)
    worst = max(errors, key=abs)
    return f"| {name} | {len(errors)} | {mean:.1f} | {bias:+.1f} | {median:.1f} | {worst:+.1f} |"


def table(groups: Mapping[str, Sequence[Prediction]], first: str) -> Iterator[str]:
    """Errors of groups of predictions as Markdown."""
    yield f"| {first} | n | MAPE % | bias % | median % | worst % |"
    yield "|---|---|---|---|---|---|"
    yield from (errors_line(name, found) for name, found in groups.items() if found)


def grouped(found: Iterable[Prediction], key: Callable[[Prediction], str]) -> dict[str, list[Prediction]]:
    """Predictions by a key, in the order of their first occurrence."""
    groups: dict[str, list[Prediction]] = {}
    for one in found:
        groups.setdefault(key(one), []).append(one)
    return groups


def worst_rows(found: Sequence[Prediction], num_rows: int) -> Iterator[str]:
    """The worst predictions, each with the causes of its step."""
    for one in sorted(found, key=lambda each: -abs(each.log_error))[:num_rows]:
        causes = sorted(one.step.by_name().items(), key=lambda item: -item[1])[:7]
        text = ", ".join(f"{name} {100 * value / one.step.total_s:.0f}" for name, value in causes)
        chosen = f"mb{one.plan.micro_sequences} v{one.plan.virtual_stages}"
        yield (
            f"- {100 * one.error_frac:+.1f} % of {one.case.measured_s:.4g} s: {one.case.label} [{chosen}] "
            f"({text} %)"
        )


def _name_with(key: str, one: Prediction) -> str:
    return f"{one.case.set_name}: {KEYS[key](one.plan)}"


def report(cases: Sequence[Case], options: argparse.Namespace) -> Iterator[str]:
    """The page."""
    names = dict.fromkeys(case.framework for case in cases)
    efficiencies = {
        name: fitted_efficiency(fit_cases(cases, name))
        for name in names
        if options.fit and fit_cases(cases, name)
    }
    for name in names:
        value = efficiencies.get(name, preset(name).efficiency_frac)
        yield f"{name}: efficiency {value:.4f}, fitted on {len(fit_cases(cases, name))} rows"
    fitted = {id(case) for name in names for case in fit_cases(cases, name)}
    fitted |= {id(case) for case in matching(cases, SUSTAINED)}
    found = [one for case in cases if (one := predict(case, efficiencies)) is not None]
    yield f"{len(cases)} rows, {len(cases) - len(found)} without a prediction\n"
    held_out = [
        one
        for one in found
        if options.only in one.case.set_name
        and (id(one.case) not in fitted or one.case.set_name.startswith("vTrain"))
    ]
    sets = grouped(held_out, lambda one: one.case.set_name)
    yield from table(sets, "set")
    for key in filter(None, options.by.split(",")):
        yield f"\nBy {key}:\n"
        names_of = partial(_name_with, key)
        yield from table(dict(sorted(grouped(held_out, names_of).items())), key)
    for name, rows in sets.items() if options.worst else ():
        yield f"\n{name}:\n"
        yield from worst_rows(rows, options.worst)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="Published training steps against the formulas.")
    parser.add_argument("csv", type=Path)
    parser.add_argument("--fit", action="store_true", help="fit the efficiencies again")
    parser.add_argument("--worst", type=int, default=0, help="worst rows of each set")
    parser.add_argument("--by", default="", help=f"split sets by: {', '.join(KEYS)}")
    parser.add_argument("--only", default="", help="sets whose name holds this text")
    options = parser.parse_args()
    print("\n".join(report(all_cases(list(read_rows(options.csv))), options)))


if __name__ == "__main__":
    main()
