"""The instant estimate of training jobs on a terminal: pace, step by cause, memory by term, cost."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING

from dcsim.report.grids import show_grids, text_grid
from dcsim.report.numbers import (
    BYTES,
    COUNT,
    ENERGY,
    FLOPS_PER_SECOND,
    MISSING,
    PER_SECOND,
    POWER,
    TIME,
    USD,
    percent_text,
    quantity_text,
)
from dcsim.report.part_table import part_table
from dcsim.report.training_words import STEP_PARTS, memory_parts, named
from dcsim.study.completion_estimate import CompletionForecast
from dcsim.study.training_estimate import TrainingForecast
from dcsim.units import SECONDS_PER_DAY

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def show_training_forecast(
    console: Console, name: str, one: TrainingForecast, completion: CompletionForecast
) -> None:
    """Print the forecast of one job."""
    from rich.text import Text

    nodes = "1 node" if one.num_nodes == 1 else f"{one.num_nodes:,} nodes"
    size = f"{one.num_accelerators:,} accelerators on {nodes}"
    console.print(Text.assemble(f"{name}: ", (f"{percent_text(one.mfu_frac)} MFU", "green"), f", {size}"))
    console.print()
    show_grids(console, {"pace": _pace(one), "whole job, undisturbed": _whole(one)})
    console.print()
    memory = memory_parts(one.memory.terms(), one.memory.capacity_bytes)
    show_grids(
        console,
        {
            "where a step goes": part_table(named(one.step.by_name(), STEP_PARTS), TIME),
            "memory of the fullest accelerator": part_table(memory, BYTES),
        },
    )
    console.print()
    if completion.is_disturbed:
        ended = _ended(one, completion)
        show_grids(
            console, {"failures and checkpoints": _disturbed(completion), "whole job with them": ended}
        )
        console.print()


def training_document(one: TrainingForecast, completion: CompletionForecast) -> dict[str, object]:
    """All figures of a forecast as plain values, for ``dcsim estimate --json``."""
    found = asdict(one)
    found["completion"] = {key: _finite(value) for key, value in asdict(completion).items()}
    found["step"] = {f"{name}_s": value for name, value in one.step.by_name().items()} | {
        "total_s": one.step.total_s
    }
    found["memory"] = {f"{name}_bytes": size for name, size in one.memory.terms().items()} | {
        "capacity_bytes": one.memory.capacity_bytes
    }
    return found


def _pace(one: TrainingForecast) -> Table:
    tokens, is_hindered = one.counted_in, one.is_hindered
    unhindered = quantity_text(one.undisturbed_step_s, TIME) if is_hindered else MISSING
    hfu = MISSING if one.hfu_frac == one.mfu_frac else percent_text(one.hfu_frac)
    return text_grid(
        {
            "step": quantity_text(one.step_s, TIME),
            "step, no full links or slow stores": unhindered,
            "samples held up by": one.samples_bound_by or MISSING,
            "MFU": percent_text(one.mfu_frac),
            "HFU, with recomputation": hfu,
            tokens: quantity_text(one.tokens_per_s, PER_SECOND),
            f"{tokens} per accelerator": quantity_text(one.tokens_per_accelerator_s, PER_SECOND),
            "model FLOP/s per accelerator": quantity_text(
                one.model_flops_per_accelerator_s, FLOPS_PER_SECOND
            ),
            "power per accelerator": quantity_text(one.accelerator_w, POWER),
            "scale-out traffic, node and step": quantity_text(one.scale_out_bytes_per_node, BYTES),
        }
    )


def _whole(one: TrainingForecast) -> Table:
    seconds = None if one.days is None else one.days * SECONDS_PER_DAY
    return text_grid(
        {
            "steps": quantity_text(one.num_steps, COUNT),
            one.counted_in: quantity_text(one.num_tokens, COUNT),
            "time": quantity_text(seconds, TIME),
            "staging and reshuffling": quantity_text(one.preparation_s or None, TIME),
            "checkpoint": quantity_text(one.num_checkpoint_bytes, BYTES),
            "IT energy": quantity_text(one.it_j, ENERGY),
            "facility energy": quantity_text(one.facility_j, ENERGY),
            "cost": quantity_text(one.cost_usd, USD),
            f"per M {one.counted_in}": quantity_text(one.usd_per_million_tokens, USD),
        }
    )


def _disturbed(one: CompletionForecast) -> Table:
    mttf_s = one.mttf_s if math.isfinite(one.mttf_s) else None
    return text_grid(
        {
            "time between failures": quantity_text(mttf_s, TIME),
            "restart after one": MISSING if mttf_s is None else quantity_text(one.restart_s, TIME),
            "a checkpoint every": quantity_text(one.interval_s, TIME),
            "goodput (time in steps that count)": percent_text(one.productive_frac),
        }
    )


def _ended(one: TrainingForecast, completion: CompletionForecast) -> Table:
    per_million = completion.usd_per_million_tokens
    return text_grid(
        {
            "time": quantity_text(completion.completion_s, TIME),
            "failures": quantity_text(completion.num_failures or None, COUNT),
            "IT energy": quantity_text(completion.it_j, ENERGY),
            "facility energy": quantity_text(completion.facility_j, ENERGY),
            "cost": quantity_text(completion.cost_usd, USD),
            f"per M {one.counted_in}": quantity_text(per_million, USD),
        }
    )


def _finite(value: float | None) -> float | None:
    """JSON has no infinity: None for what never happens."""
    return None if value is None or math.isinf(value) else value
