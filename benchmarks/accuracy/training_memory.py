"""Published memory of training ranks against the formulas.

    python -m benchmarks.accuracy.training_memory ../shared/truth/memory.csv

Nothing is fitted. What a figure counts differs by source, and so does what is compared with it:

- ``peak_alloc_gib`` (SimuMax, eight B200): what PyTorch allocated, without context and fragmentation.
- ``peak_reserved_gib`` (torchtitan): what its allocator holds, fragmentation included, without the context.
  Long contexts fill whatever is there (84 of 95 GiB): such rows say little, and stand apart.
- ``params_opt_gib`` and ``activations_gib`` (Korthikanti et al., figure 1): the first pipeline stage, of the
  layers alone: 45.56 GiB are 18 bytes for each of 12 layers times 12 h^2 / 8.
- ``peak_gib`` (BLOOM): "using 60 GB", all of it.
"""

from __future__ import annotations

import argparse
import csv
import re
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.accuracy.training_case import Machine
from benchmarks.accuracy.training_prediction import hardware_of, preset
from benchmarks.accuracy.training_rows import truncated
from dcsim.catalog.loader import load_entry
from dcsim.catalog.model import Model
from dcsim.formulas.datatypes import Datatype
from dcsim.formulas.training.choices import Recompute, Sharding
from dcsim.formulas.training.memory import RankMemory, rank_memory
from dcsim.formulas.training.plan import TrainingPlan
from dcsim.formulas.training.software import SoftwareFacts
from dcsim.formulas.transformer import TransformerShape
from dcsim.policies.pipeline_schedules.interleaved import Interleaved
from dcsim.policies.pipeline_schedules.one_forward_one_backward import OneForwardOneBackward
from dcsim.units import BYTES_PER_GIB

NAMES = {
    "llama3_70b": "llama-3.1-70b",
    "llama3_405b": "llama-3.1-405b",
    "llama3-8b": "llama-3.1-8b",
    "llama3-70b": "llama-3.1-70b",
    "llama3.1-405b": "llama-3.1-405b",
    "deepseekv2": "deepseek-v2",
    "deepseekv3": "deepseek-v3",
    "megatron-22B": "gpt-22b",
    "megatron-175B": "gpt3-175b",
    "megatron-1T": "gpt-1008b",
    "bloom-176b": "bloom-176b",
}
MACHINES = {
    "B200-SXM": "dgx-b200",
    "H100-96GB(HBM2e,500W)": "grand-teton-h100",
    "H200": "dgx-h200",
    "A100-80GB": "dgx-a100",
}
ACTIVATION_TERMS = ("activation", "logit")
PARAMETER_TERMS = ("weight", "gradient", "optimizer")
EAGER_LOSS = {"logit_bytes": 12.0}  # "compiling loss function causes CUDA errors, turning off" (its train.py)
BF16_OPTIMIZER = {"gradient_bytes": 2.0 + 4.0}  # DeepSpeed's: gradients in 16 bits, summed up in 32
BYTES_PER_PARAMETER = 18.0  # with AdamW in mixed precision, nothing sharded


@dataclass(frozen=True, slots=True)
class MemoryCase:
    """One measured rank: its plan, its software and what was counted."""

    set_name: str
    label: str
    framework: str
    plan: TrainingPlan
    node: str
    metric: str
    measured_bytes: float
    facts: Mapping[str, float] = field(default_factory=dict)  # of the software of that time

    @property
    def software(self) -> SoftwareFacts:
        """The preset, with what the source says otherwise."""
        return replace(preset(self.framework), **self.facts)  # type: ignore[arg-type]

    def memory(self) -> RankMemory:
        """The rank's memory by the formulas."""
        capacity = hardware_of(Machine(self.node), Datatype.BF16).memory_bytes
        return rank_memory(self.plan, self.software, capacity)

    def predicted_bytes(self) -> float:
        """What the source counts of it."""
        memory = self.memory()
        terms = memory.terms()
        if self.metric == "params_opt_gib":
            embedding = self.plan.shape.vocab_size * self.plan.shape.hidden_size / self.plan.tensor
            return sum(terms[name] for name in PARAMETER_TERMS) - BYTES_PER_PARAMETER * embedding
        if self.metric == "activations_gib":
            return sum(terms[name] for name in ACTIVATION_TERMS)
        if self.metric == "peak_gib":
            return memory.total_bytes
        facts = self.software
        without = memory.total_bytes - facts.reserved_bytes
        if self.metric == "peak_reserved_gib":
            return without
        return without - facts.fragmentation_frac * (terms["activation"] + terms["logit"])

    def error_frac(self) -> float:
        """Predicted over measured, less one."""
        return self.predicted_bytes() / self.measured_bytes - 1.0


def read_cases(path: Path) -> Iterator[MemoryCase]:
    """The cases of the table."""
    with path.open(newline="", encoding="utf-8") as file:
        for cells in csv.DictReader(file):
            yield _case(cells)


def _case(cells: Mapping[str, str]) -> MemoryCase:
    case, metric = cells["case"], cells["metric"]
    plan, facts = _plan(cells), {}
    if "SimuMax" in cells["source"]:
        name, framework = "SimuMax B200, allocated", "megatron"
        plan = replace(plan, has_sequence_parallelism=plan.tensor > 1)
    elif "torchtitan" in cells["source"]:
        is_full = plan.num_sequence_tokens >= 65536  # the allocator fills the device
        name, framework = "torchtitan, reserved" + (", long contexts" if is_full else ""), "fsdp"
        plan = _torchtitan(plan, cells)
        facts = EAGER_LOSS if "202412" in cells["source"] else {}
    elif "Korthikanti" in cells["source"]:
        name, framework = f"Korthikanti, {metric.split('_')[0]}", "megatron-2021"
        has_parts = cells["recompute"].startswith("seq")
        recompute = Recompute.SELECTIVE if has_parts else Recompute.NONE
        chunks = 3 if "175B" in case else 1
        plan = replace(
            plan,
            has_sequence_parallelism=has_parts,
            recompute=recompute,
            sharding=Sharding.NONE,
            has_dropout=True,
            virtual_stages=chunks,
            schedule=Interleaved() if chunks > 1 else OneForwardOneBackward(),
            num_sequences=8 * plan.pipeline * plan.micro_sequences,
        )
    else:
        name, framework = "BLOOM", "megatron-2021"
        facts = BF16_OPTIMIZER
    measured = float(cells["value"]) * BYTES_PER_GIB
    label = f"{case} s{cells['seq_len']} {cells['recompute']} {metric}"
    return MemoryCase(name, label, framework, plan, MACHINES[cells["gpu"]], metric, measured, facts)


def _plan(cells: Mapping[str, str]) -> TrainingPlan:
    case = cells["case"]
    data, micro = int(cells["dp"]), int(cells["micro_batch"])
    found = re.search(r"mbc(\d+)", case)
    count = int(found.group(1)) if found else max(int(cells["pp"]), 1)
    return TrainingPlan(
        shape=_shape(case),
        num_sequences=count * micro * data,
        num_sequence_tokens=int(cells["seq_len"]),
        schedule=OneForwardOneBackward(),
        micro_sequences=micro,
        tensor=int(cells["tp"]),
        pipeline=int(cells["pp"]),
        data=data,
        context=int(cells["cp"]),
        expert=int(cells["ep"]),
        recompute=Recompute.FULL if cells["recompute"] == "full" else Recompute.NONE,
        sharding=Sharding.OPTIMIZER,
    )


def _torchtitan(plan: TrainingPlan, cells: Mapping[str, str]) -> TrainingPlan:
    """Fully sharded; selective checkpointing as half of the layers; as many micro-batches as stages.

    Parameters and optimiser state are kept in 32 bits, without a second copy in 16.
    """
    plan = replace(plan, sharding=Sharding.FULL, has_sequence_parallelism=plan.tensor > 1)
    if "Float8" in cells["case"]:
        plan = replace(plan, linear=Datatype.FP8)
    if cells["recompute"] == "selective":
        half = plan.shape.num_layers // 2
        plan = replace(plan, recompute=Recompute.FULL, num_recomputed_layers=half)
    if plan.pipeline > 1:
        local = plan.micro_sequences
        chunks = 2 if "Interleaved" in cells["case"] else 1
        micro = max(1, local // (plan.pipeline * chunks))
        plan = replace(plan, micro_sequences=micro, num_sequences=local * plan.data, virtual_stages=chunks)
        plan = replace(plan, schedule=Interleaved()) if chunks > 1 else plan
    return plan


def _shape(case: str) -> TransformerShape:
    name = next(known for known in NAMES if case.startswith(known))
    entry = load_entry("models", NAMES[name])
    assert isinstance(entry, Model)
    found = re.search(r"_l(\d+)", case)
    return truncated(entry.shape, int(found.group(1))) if found else entry.shape


def main() -> None:
    """Print errors by set, and all rows."""
    parser = argparse.ArgumentParser(description="Published memory of training ranks against the formulas.")
    parser.add_argument("csv", type=Path)
    parser.add_argument("--rows", action="store_true", help="print every row and its terms")
    options = parser.parse_args()
    cases = list(read_cases(options.csv))
    print("| set | n | MAPE % | bias % | worst % |\n|---|---|---|---|---|")
    for name in dict.fromkeys(case.set_name for case in cases):
        errors = [100.0 * case.error_frac() for case in cases if case.set_name == name]
        mean = statistics.fmean(abs(error) for error in errors)
        bias, worst = statistics.fmean(errors), max(errors, key=abs)
        print(f"| {name} | {len(errors)} | {mean:.1f} | {bias:+.1f} | {worst:+.1f} |")
    for case in cases if options.rows else ():
        terms = ", ".join(f"{key} {size / BYTES_PER_GIB:.1f}" for key, size in case.memory().terms().items())
        measured, error = case.measured_bytes / BYTES_PER_GIB, 100.0 * case.error_frac()
        print(f"- {error:+.1f} % of {measured:.1f} GiB: {case.label} ({terms})")


if __name__ == "__main__":
    main()
