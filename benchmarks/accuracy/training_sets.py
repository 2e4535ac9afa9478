"""The sets of published training steps, each with what its source says of the runs beyond the table."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from benchmarks.accuracy.training_case import Case, Machine, label_of, plan_of
from benchmarks.accuracy.training_machines import MACHINES
from benchmarks.accuracy.training_recipes import RECIPES, megatron_bridge, with_second_token
from benchmarks.accuracy.training_rows import Convention, PublishedRow
from benchmarks.accuracy.training_tpu import maxtext_cases, palm_cases
from dcsim.formulas.training.choices import Recompute, RecomputedModule, Sharding
from dcsim.formulas.training.plan import TrainingPlan
from dcsim.policies.pipeline_schedules.dualpipe import Dualpipe
from dcsim.policies.pipeline_schedules.interleaved import Interleaved

SEED = 7  # of the half of vTrain's rows that may be fitted
MICRO_BATCHES = (1, 2, 4, 8, 16)
CHUNKS = (1, 2, 3)  # the same authors' later tables have three at most (arXiv:2205.05198, table 3)
MEGATRON_OF_2022: Mapping[
    str, object
] = {  # ColumnParallelLinearWithAsyncAllreduce, and the fused accumulation
    "fuses_accumulation": True,
    "overlap.tensor_gradients_frac": 0.6,
    "overlap.compute_slowdown_frac": 0.15,
    "overlap.network_slowdown_frac": 0.1,
}
DEFAULT_FLAGS: Mapping[str, object] = {"overlap.tensor_frac": 0.0}  # --tp-comm-overlap is off
FLASH_2_HOPPER = (
    0.35  # FlashAttention-2 "achieves only 35 % utilization on the H100" (arXiv:2407.08608, abstract)
)
TRITON = 1.3  # by which FlashAttention in Triton, MPT's of 2023, is slower (arXiv:2307.08691, section 4.1)
FLASH_2_AMPERE = 0.5  # "50-73 %" on A100 (abstract of the same)
ZERO_3_OF_2021: Mapping[str, object] = {  # overlap_comm was off by default
    "has_flash_attention": False,
    "overlap.parameters_frac": 0.0,
    "overlap.gradients_frac": 0.0,
}
FLASH_1_AMPERE = 0.33  # FlashAttention reaches "only 25-40 %" on A100 (arXiv:2307.08691, abstract)
DEEPSEEK_MODULES = (RecomputedModule.NORMS, RecomputedModule.LATENT_UP)
COMPILED = {"elementwise_factor": 1.0}  # torch.compile fuses what lies between the products
EAGER = {"elementwise_factor": 3.4}
"""Bytes per token and width of Llama 3's layer where nothing is compiled, 156: 36 for each norm (to 32 bits,
square, mean, scale, back, weight), 6 for each residual sum, 37 for rotary positions in 32 bits, 35 for the
activation and its product; 46 where each of these is one kernel."""


def _case(
    name: str, framework: str, row: PublishedRow, plans: Iterable[TrainingPlan], **options: object
) -> Case:
    """A case on the usual machine of a row's device; options are further fields of the case."""
    fields = {"machine": MACHINES.get(row.device), "measured_s": row.step_s(Convention.HARDWARE), **options}
    return Case(name, label_of(row), framework, plans=tuple(plans), **fields)  # type: ignore[arg-type]


def vtrain(rows: list[PublishedRow]) -> Iterator[Case]:
    """vTrain (MICRO 2024): Megatron-DeepSpeed, all recomputed, 800 Gbit/s per node; a half may be fitted."""
    chosen = set(random.Random(SEED).sample(range(len(rows)), len(rows) // 2))
    machine = Machine("dgx-a100", num_nics=4)
    for number, row in enumerate(rows):
        plan = plan_of(row, sharding=Sharding.NONE, has_dropout=True)
        fitted = number in chosen
        name = "vTrain, half that may be fitted" if fitted else "vTrain, held out"
        yield _case(name, "megatron-2021", row, [plan], machine=machine, is_fitted=fitted)


def sc21_table_1(rows: list[PublishedRow]) -> Iterator[Case]:
    """Megatron-LM at SC 2021, interleaved; micro-batch and chunks are not printed: the fastest that fits."""
    for row in rows:
        if row.metric == "step_time_s":
            plan = plan_of(row, sharding=Sharding.NONE, has_dropout=True)
            yield _case("SC'21 table 1", "megatron-2021", row, _choices(plan))


def _choices(plan: TrainingPlan) -> Iterator[TrainingPlan]:
    """The micro-batches and chunks that divide a plan's batch and layers."""
    for micro in MICRO_BATCHES:
        if plan.num_sequences % (plan.data * micro):
            continue
        layers = plan.shape.num_layers // plan.pipeline
        whole = plan.num_sequences // (plan.data * micro) % plan.pipeline == 0
        for chunks in CHUNKS if plan.pipeline > 1 and whole else (1,):
            if layers % chunks == 0:
                yield _with_chunks(replace(plan, micro_sequences=micro), chunks)


def _with_chunks(plan: TrainingPlan, chunks: int) -> TrainingPlan:
    return plan if chunks == 1 else replace(plan, virtual_stages=chunks, schedule=Interleaved())


def sc21_table_2(rows: list[PublishedRow]) -> Iterator[Case]:
    """GPT-530B by Megatron-LM (PTD) and by DeepSpeed's ZeRO-3 of 2021, which overlaps little."""
    for row in rows:
        if row.metric != "tflops_per_gpu":
            continue
        if "ZeRO-3" in row.notes:
            plan = plan_of(row, sharding=Sharding.FULL, has_dropout=True)
            yield _case("SC'21 table 2, ZeRO-3", "deepspeed", row, [plan], facts=ZERO_3_OF_2021)
        else:
            plan = plan_of(row, sharding=Sharding.NONE, has_dropout=True)
            plans = [one for one in _choices(plan) if one.micro_sequences == row.micro_sequences]
            yield _case("SC'21 table 2, Megatron", "megatron-2021", row, plans)


def korthikanti(rows: list[PublishedRow]) -> Iterator[Case]:
    """Table 5; three chunks per stage where they divide (not of 1T, whose stages have two layers)."""
    for row in rows:
        is_selective = row.recompute == "selective"
        chunks = 3 if row.pipeline in (8, 35) else 1
        plan = plan_of(
            row,
            has_sequence_parallelism=is_selective,
            sharding=Sharding.NONE,
            has_dropout=True,
            virtual_stages=chunks,
        )
        name = "Korthikanti, selective" if is_selective else "Korthikanti, full"
        yield _case(name, "megatron-2021", row, [plan], facts=MEGATRON_OF_2022)


def megatron_2020(rows: list[PublishedRow]) -> Iterator[Case]:
    """Megatron-LM of 2020 on DGX A100 of 40 GB, one micro-batch per step.

    Gradients of fp16 training are kept and summed up in 16 bits (its --fp32-allreduce is off by default).
    """
    facts = {"reduced_bytes": 2.0, "gradient_bytes": 2.0}
    for row in rows:
        if row.device == "A100-40GB":
            plan = plan_of(
                row, sharding=Sharding.NONE, has_dropout=True, micro_sequences=row.num_sequences // row.data
            )
            yield _case("Megatron 2020, A100 40 GB", "megatron-2021", row, [plan], facts=facts)


def bloom(rows: list[PublishedRow]) -> Iterator[Case]:
    """BLOOM: Megatron-DeepSpeed with ZeRO-1 over Omni-Path, four ports per node.

    DeepSpeed's BF16_Optimizer adds the 16-bit gradients of each micro-batch to a second copy in 32 bits,
    and sums that up.
    """
    facts = {"gradient_bytes": 2.0 + 4.0}
    machine = Machine("dgx-a100", num_nics=4, scale_out="omni-path-100g")
    for row in rows:
        if row.metric == "tflops_per_gpu":
            plan = plan_of(row, has_dropout=False)
            yield _case("BLOOM", "megatron-2021", row, [plan], machine=machine, facts=facts)


def fsdp_paper(rows: list[PublishedRow]) -> Iterator[Case]:
    """FSDP's paper: minGPT, "more than" 173 TFLOP/s, 2 Tbit/s per node; attention is not fused."""
    machine = Machine("dgx-a100", num_nics=10)
    facts = {"has_flash_attention": False, "recomputes_layer_end": True}
    for row in rows:
        plan = plan_of(row, sharding=Sharding.FULL)
        yield _case("FSDP paper", "fsdp", row, [plan], machine=machine, facts=facts)


def bloomberg(rows: list[PublishedRow]) -> Iterator[Case]:
    """BloombergGPT: SageMaker's sharded data parallelism (ZeRO-3, MiCS) on p4d nodes.

    Four copies, each over 128 ranks (arXiv:2303.17564, section 3.2). The micro-batch is not printed: all of a
    rank's sequences at once, as gathering the weights again for each would be waste.
    """
    for row in rows:
        micro = row.num_sequences // row.num_accelerators
        plan = replace(plan_of(row, sharding=Sharding.FULL, micro_sequences=micro), num_shards=128)
        facts = {"has_flash_attention": False}
        yield _case("BloombergGPT", "deepspeed", row, [plan], machine=Machine("a100-40gb-8x"), facts=facts)


def pythia(rows: list[PublishedRow]) -> Iterator[Case]:
    """GPT-NeoX on p4d nodes: ZeRO-1, one micro-batch per step and full recomputation, as its files say.

    FlashAttention of 2022 (arXiv:2304.01373, section 2.2); no dropout.
    """
    facts = {"has_flash_attention": True, "attention_frac": FLASH_1_AMPERE}
    for row in rows:
        micro = row.num_sequences // row.num_accelerators
        plan = replace(
            plan_of(row, micro_sequences=micro), recompute=Recompute.FULL, data=row.num_accelerators
        )
        plan = replace(plan, shape=replace(plan.shape, has_tied_embeddings=False))
        yield _case("Pythia", "deepspeed", row, [plan], machine=Machine("a100-40gb-8x"), facts=facts)


def llm_foundry(rows: list[PublishedRow]) -> Iterator[Case]:
    """MosaicML llm-foundry, FSDP: gradients summed up in 16 bits (PURE) or 32 (DEFAULT)."""
    for row in rows:
        if row.metric != "tokens_per_s_per_gpu":
            continue
        sharding = Sharding.GRADIENTS if "SHARD_GRAD_OP" in row.notes else Sharding.FULL
        reduced = 2.0 if "PURE" in row.notes else 4.0
        device = row.device.partition("-")[0] + (" fp8" if "fp8" in row.precision else "")
        flash_2 = FLASH_2_HOPPER if device[0] == "H" else FLASH_2_AMPERE
        facts = {"reduced_bytes": reduced, "attention_frac": flash_2 / TRITON}
        facts["cast_bytes"] = 4.0  # Transformer Engine's, with scales of the steps before
        yield _case(
            f"llm-foundry, {device}",
            "fsdp",
            row,
            [plan_of(row, sharding=sharding)],
            facts=facts,
        )


def torchtitan(rows: list[PublishedRow]) -> Iterator[Case]:
    """torchtitan: selective checkpointing recomputes every second product, taken as half of the layers.

    Fp8 with a scale for each row stands apart: its slowness with tensor parallelism is a defect, says the
    source (benchmarks/asyncTP_llama3_h100_2025-06_torchtitan.md, issue 1207).
    """
    for row in rows:
        plan = plan_of(row, sharding=Sharding.FULL, has_sequence_parallelism=row.tensor > 1)
        if row.recompute == "selective":
            half = plan.shape.num_layers // 2
            plan = replace(plan, recompute=Recompute.FULL, num_recomputed_layers=half)
        kind = "fp8" if "fp8" in row.precision else "bf16"
        kind += ", scales of rows" if "rowwise" in row.precision else ""
        share = 0.9 if "async" in row.notes.lower() else 0.0
        facts: dict[str, object] = {"overlap.tensor_frac": share, "overlap.tensor_gradients_frac": share}
        facts["attention_frac"] = FLASH_2_HOPPER  # of scaled_dot_product_attention in PyTorch 2.6
        facts |= COMPILED if "compile" in row.notes or "TP" in row.notes else EAGER
        yield _case(f"torchtitan, {kind}", "fsdp", row, [plan], facts=facts)


def simumax(rows: list[PublishedRow]) -> Iterator[Case]:
    """Megatron-LM 0.14 on eight B200, by SimuMax's authors: sequence parallel, nothing recomputed.

    A single replica's gradients are zeroed but not scaled.
    """
    for row in rows:
        plan = plan_of(row, has_sequence_parallelism=row.tensor > 1)
        kind = "MoE" if row.expert > 1 else "long" if row.context > 1 else "dense"
        facts = DEFAULT_FLAGS if plan.data > 1 else {**DEFAULT_FLAGS, "gradient_pass_bytes": 4.0}
        yield _case(f"SimuMax B200 bf16, {kind}", "megatron", row, [plan], facts=facts)


def mlperf(rows: list[PublishedRow]) -> Iterator[Case]:
    """Median steps in MLPerf Training logs, NeMo: GPT-3 with six chunks per stage, Llama 3.1 405B with eight.

    NeMo became a fifth faster on GPT-3 between round 3.0 (June 2023) and 4.1 (October 2024).
    """
    for row in rows:
        if row.metric != "step_time_s":
            continue
        chunks = 6 if row.model.startswith("gpt3") else 8
        plan = plan_of(row, has_sequence_parallelism=True, virtual_stages=chunks, has_dropout=False)
        name = f"MLPerf {row.model.split('-')[0]}, {row.precision}"
        if chunks == 6:
            name += ", 2023" if " v3." in row.source else ", 2024"
        yield _case(name, "megatron", row, [plan], facts=RECIPES)


def deepseek_v3(rows: list[PublishedRow]) -> Iterator[Case]:
    """DeepSeek-V3's own training: DualPipe, one sequence per micro-batch, four nodes per token at most.

    With one layer and one head for the second token; norms and latent projections are computed again
    (arXiv:2412.19437, sections 2.2 and 3.2.3).
    """
    for row in rows:
        if row.metric == "tokens_per_s_per_gpu":
            plan = replace(plan_of(row), schedule=Dualpipe(), max_routed_nodes=4)
            plan = replace(with_second_token(plan), recomputed_modules=frozenset(DEEPSEEK_MODULES))
            facts = {"sends_tokens_once": True, "dispatch_bytes": 1.0}  # section 3.2.2
            yield _case("DeepSeek-V3 on 2,048 H800", "megatron", row, [plan], facts=facts)


SETS: Mapping[str, Callable[[list[PublishedRow]], Iterator[Case]]] = {  # by what the source begins with
    "vTrain": vtrain,
    "Megatron-LM SC21 arXiv:2104.04473 Table 1": sc21_table_1,
    "Megatron-LM SC21 arXiv:2104.04473 Table 2": sc21_table_2,
    "Korthikanti": korthikanti,
    "Megatron-LM repo images/tables.tex": megatron_2020,
    "BLOOM": bloom,
    "PyTorch FSDP": fsdp_paper,
    "BloombergGPT": bloomberg,
    "Pythia": pythia,
    "MosaicML": llm_foundry,
    "pytorch/torchtitan": torchtitan,
    "SimuMax": simumax,
    "MLPerf": mlperf,
    "NVIDIA Megatron-Bridge": megatron_bridge,
    "DeepSeek-V3": deepseek_v3,
    "AI-Hypercomputer/maxtext src/maxtext/configs/tpu": maxtext_cases,
    "PaLM": palm_cases,
}


def all_cases(rows: list[PublishedRow]) -> list[Case]:
    """The cases of all sets, in the order of the sets."""
    return [
        case
        for beginning, cases in SETS.items()
        for case in cases([row for row in rows if row.source.startswith(beginning)])
    ]
