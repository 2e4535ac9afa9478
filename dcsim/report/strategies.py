"""Parallelism plans of a training job on a terminal, fastest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.report.columns import columns_table
from dcsim.report.numbers import TIME, percent_text, quantity_text
from dcsim.study.strategy import Ranking, Strategy

if TYPE_CHECKING:
    from rich.console import Console

_SIZES = ("tensor", "pipeline", "context", "data", "expert", "virtual_stages", "micro_sequences")
_TITLES = (
    "",
    "step",
    "MFU",
    "memory",
    "TP",
    "PP",
    "CP",
    "DP",
    "EP",
    "VPP",
    "micro",
    "recompute",
    "sharding",
)


def show_ranking(console: Console, name: str, ranking: Ranking) -> None:
    """Print the plans of a job, how many were looked at, and what the others lacked memory for."""
    from rich.text import Text

    num_fit = ranking.num_considered - sum(ranking.num_refused.values())
    console.print(
        Text.assemble((name, "bold"), f": {num_fit:,} of {ranking.num_considered:,} plans fit in memory")
    )
    if ranking.num_refused:
        reasons = ", ".join(f"{count:,} {term}" for term, count in _by_count(ranking))
        console.print(Text(f"the others overflow it by: {reasons}", style="dim"))
    console.print()
    rows = [_TITLES, *(_row(number, one) for number, one in enumerate(ranking.strategies, 1))]
    console.print(columns_table(rows, "right"))
    console.print()
    console.print(Text("To train by one of them, set (here for the first):", style="dim"))
    for path, value in ranking.strategies[0].settings.items():
        console.print(Text(f"  --set {path}={value}", style="dim"))


def ranking_document(ranking: Ranking) -> dict[str, object]:
    """The plans as plain values, for ``dcsim strategies --json``."""
    return {
        "num_considered": ranking.num_considered,
        "num_refused": dict(ranking.num_refused),
        "strategies": [
            {
                "step_s": one.step_s,
                "mfu_frac": one.mfu_frac,
                "memory_frac": one.memory_frac,
                "memory_bytes": one.memory.terms(),
                "settings": dict(one.settings),
            }
            for one in ranking.strategies
        ],
    }


def _by_count(ranking: Ranking) -> list[tuple[str, int]]:
    return sorted(ranking.num_refused.items(), key=lambda item: -item[1])


def _row(number: int, one: Strategy) -> tuple[str, ...]:
    plan = one.plan
    sizes = (str(getattr(plan, name)) for name in _SIZES)
    return (
        f"#{number}",
        quantity_text(one.step_s, TIME),
        percent_text(one.mfu_frac),
        percent_text(one.memory_frac),
        *sizes,
        str(plan.recompute),
        str(plan.sharding),
    )
