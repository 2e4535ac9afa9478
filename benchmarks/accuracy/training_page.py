"""The page on the accuracy of training, written from the tables of published steps and memory.

python -m benchmarks.accuracy.training_page ../shared/truth -o docs/accuracy-training.md
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.accuracy.training import FITTED, SUSTAINED, errors_line, fit_cases, grouped, matching
from benchmarks.accuracy.training_case import Case
from benchmarks.accuracy.training_memory import read_cases
from benchmarks.accuracy.training_prediction import Prediction, predict, preset
from benchmarks.accuracy.training_rows import read_rows
from benchmarks.accuracy.training_sets import all_cases

GROUPS: Mapping[str, tuple[tuple[str, ...], str]] = {  # sets by the beginnings of their names, aim
    "A100, dense: vTrain, other half": (("vTrain, held out",), "7"),
    "A100, dense: SC 2021, table 1": (("SC'21 table 1",), "4"),
    "A100, dense: Korthikanti, table 5": (("Korthikanti",), "4"),
    "H100, bf16": (("llm-foundry, H100", "torchtitan, bf16"), "8"),
    "H100, fp8": (("llm-foundry, H100 fp8", "torchtitan, fp8"), "12"),
    "B200, bf16": (("SimuMax",), "8"),
    "H100 to GB300, dense, fp8 and nvfp4": (
        ("MLPerf", "Megatron-Bridge 2025, dense", "Megatron-Bridge 2026, dense"),
        "12",
    ),
    "H100 to GB300, mixtures of experts": (
        ("Megatron-Bridge 2025, MoE", "Megatron-Bridge 2026, MoE", "DeepSeek"),
        "12",
    ),
    "TPU v4, v5e, v5p": (("MaxText", "PaLM"), "10"),
    "older clusters": (
        ("SC'21 table 2", "Megatron 2020", "BLOOM", "FSDP paper", "Bloomberg", "Pythia"),
        "none",
    ),
}
EXCEPT = {"H100, bf16": "fp8"}  # sets whose names go on with it belong elsewhere
HEAD = Path(__file__).with_name("training_page.md").read_text(encoding="utf-8")
COLUMNS = "| n | mean | bias | median | worst |"
RULE = "|---:|---:|---:|---:|---:|"


def held_out(cases: Sequence[Case]) -> list[Prediction]:
    """Predictions of all rows that nothing was fitted on, and of vTrain's fitted half."""
    fitted = {id(case) for name in FITTED for case in fit_cases(cases, name)}
    fitted |= {id(case) for case in matching(cases, SUSTAINED)}
    shown = [case for case in cases if id(case) not in fitted or case.set_name.startswith("vTrain")]
    return [one for case in shown if (one := predict(case)) is not None]


def group_lines(found: Sequence[Prediction]) -> Iterator[str]:
    """Errors by the groups that have an aim."""
    yield f"| rows held out | aim, mean {COLUMNS}"
    yield f"|---|---|{RULE[1:]}"
    for name, (beginnings, aim) in GROUPS.items():
        without = EXCEPT.get(name, "\0")
        rows = [
            one
            for one in found
            if one.case.set_name.startswith(beginnings) and without not in one.case.set_name
        ]
        yield errors_line(f"{name} | {aim}", rows)


def set_lines(found: Sequence[Prediction]) -> Iterator[str]:
    """Errors by set."""
    yield f"| set | software {COLUMNS}"
    yield f"|---|---|{RULE[1:]}"
    for name, rows in grouped(found, lambda one: one.case.set_name).items():
        yield errors_line(f"{name} | {rows[0].case.framework}", rows)


def efficiency_lines(cases: Sequence[Case]) -> Iterator[str]:
    """The one fitted scalar of each framework."""
    yield "| software | efficiency | fitted on |"
    yield "|---|---:|---|"
    for name, rows in FITTED.items():
        chosen = "; ".join(f"{one}{': ' + label if label else ''}" for one, label in rows)
        count = len(fit_cases(cases, name))
        yield f"| {name} | {preset(name).efficiency_frac:.3f} | {count} rows: {chosen} |"


def memory_lines(path: Path) -> Iterator[str]:
    """Errors of memory by set."""
    cases = list(read_cases(path))
    yield "| set | n | mean | bias | worst |"
    yield "|---|---:|---:|---:|---:|"
    for name in dict.fromkeys(case.set_name for case in cases):
        errors = [100.0 * case.error_frac() for case in cases if case.set_name == name]
        mean, bias = statistics.fmean(abs(error) for error in errors), statistics.fmean(errors)
        yield f"| {name} | {len(errors)} | {mean:.1f} | {bias:+.1f} | {max(errors, key=abs):+.1f} |"


def page(truth: Path) -> str:
    """The whole page."""
    cases = all_cases(list(read_rows(truth / "training.csv")))
    found = held_out(cases)
    tables = {
        "GROUPS": group_lines(found),
        "SETS": set_lines(found),
        "EFFICIENCIES": efficiency_lines(cases),
        "MEMORY": memory_lines(truth / "memory.csv"),
    }
    text = HEAD
    for name, lines in tables.items():
        text = text.replace(f"[{name}]", "\n".join(lines))
    return text


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description="The page on the accuracy of training.")
    parser.add_argument("truth", type=Path, help="folder of training.csv and memory.csv")
    parser.add_argument("-o", "--output", type=Path, help="file to write; the terminal if left out")
    options = parser.parse_args()
    text = page(options.truth)
    if options.output is None:
        print(text)
    else:
        options.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
