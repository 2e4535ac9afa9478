"""Spread of the errors of held-out training steps: what the software entries state as their uncertainty.

    python -m benchmarks.accuracy.training_uncertainty ../shared/truth/training.csv

Root mean squares of log(predicted / measured), so that bias counts, over the rows that nothing was fitted on
(see ``benchmarks.accuracy.training``), by software and class of step; "covered" is the share of these rows
within 1.96 of them. A class with fewer than ``MIN_ROWS`` rows of a software says nothing of it.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.accuracy.training import FITTED, SUSTAINED, fit_cases, matching
from benchmarks.accuracy.training_case import Case
from benchmarks.accuracy.training_prediction import Prediction, predict
from benchmarks.accuracy.training_rows import read_rows
from benchmarks.accuracy.training_sets import all_cases
from dcsim.catalog.software import StepClass
from dcsim.formulas.estimation import CONFIDENCE_FRAC

MIN_ROWS = 5
_WIDE_BYTES = 2.0
_QUANTILE = statistics.NormalDist().inv_cdf((1.0 + CONFIDENCE_FRAC) / 2.0)


def held_out(cases: list[Case]) -> Iterator[Prediction]:
    """Predictions of the cases that nothing was fitted on."""
    fitted = {id(case) for name in FITTED for case in fit_cases(cases, name)}
    fitted |= {id(case) for case in matching(cases, SUSTAINED)}
    for case in cases:
        found = None if id(case) in fitted else predict(case)
        if found is not None:
            yield found


def class_of(one: Prediction) -> StepClass:
    """The class of a step, as the software entries tell them apart."""
    if one.plan.shape.experts is not None:
        return StepClass.EXPERTS
    return StepClass.NARROW if one.plan.linear.num_bytes < _WIDE_BYTES else StepClass.DENSE


def spread(errors: Iterable[float]) -> float:
    """Root mean square.

    >>> spread([0.3, -0.4])
    0.3535533905932738
    """
    return math.sqrt(statistics.fmean(error * error for error in errors))


def table(found: list[Prediction]) -> Iterator[str]:
    """The spreads by software and class, and by class over all software, as Markdown."""
    groups: dict[tuple[str, StepClass], list[float]] = {}
    for one in found:
        for software in (one.case.framework, "all"):
            groups.setdefault((software, class_of(one)), []).append(one.log_error)
    yield "| software | class | n | root mean square log error | bias | covered % |"
    yield "|---|---|---:|---:|---:|---:|"
    for (software, kind), errors in sorted(groups.items()):
        size = spread(errors)
        covered = sum(abs(error) <= _QUANTILE * size for error in errors) / len(errors)
        note = "" if len(errors) >= MIN_ROWS else " (too few)"
        name, bias = f"| {software} | {kind} | {len(errors)}{note}", statistics.fmean(errors)
        yield f"{name} | {size:.3f} | {bias:+.3f} | {100 * covered:.0f} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Spread of the errors of held-out training steps.")
    parser.add_argument("csv", type=Path)
    options = parser.parse_args()
    print("\n".join(table(list(held_out(all_cases(list(read_rows(options.csv))))))))


if __name__ == "__main__":
    main()
