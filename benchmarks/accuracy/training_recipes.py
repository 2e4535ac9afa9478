"""NVIDIA Megatron-Bridge's published steps, with what its recipes say of them beyond the table.

Recipes: scripts/performance/configs, as they stood when the releases were measured. Of 25.09 those of
25.11 are taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from benchmarks.accuracy.training_case import Case, label_of, plan_of
from benchmarks.accuracy.training_machines import MACHINES
from benchmarks.accuracy.training_rows import Convention, PublishedRow
from dcsim.formulas.training.choices import RecomputedModule, Sharding
from dcsim.formulas.training.plan import TrainingPlan

RECIPES: Mapping[str, object] = {  # grad_reduce_in_fp32=False, average_in_collective=True
    "reduced_bytes": 2.0,
    "gradient_bytes": 2.0,
    "gradient_pass_bytes": 2.0,  # zeroed only
}
FUSED_EXPERTS = (
    0.5  # of the traffic between the products: activation and quantisation are read and written once
)
GRAPHED_EXPERTS_S = 0.9e-3  # a third of the host's time, where attention, router and sorting are graphs
UNKNOWN_SHAPES = ("Nemotron", "DeepSeekV4")  # Mamba layers, or sizes that were not published


def megatron_bridge(rows: list[PublishedRow]) -> Iterator[Case]:
    """Summaries of releases; experts are forced to balance."""
    for row in rows:
        if row.metric != "tokens_per_s_per_gpu" or row.model.startswith(UNKNOWN_SHAPES):
            continue
        if "[LoRA]" in row.model:
            continue  # the rank of the adapters is not published
        sharding = Sharding.FULL if "FSDP=" in row.notes else Sharding.OPTIMIZER
        plan = plan_of(row, has_sequence_parallelism=row.tensor > 1, sharding=sharding)
        facts = dict(RECIPES)
        if plan.shape.experts:
            plan, facts = _with_experts(row, plan), facts | _expert_facts(row)
        year = "2026" if " 26." in row.source else "2025"
        kind = "MoE" if plan.shape.experts else "dense"
        name = f"Megatron-Bridge {year}, {kind} {plan.linear}"
        machine, measured_s = MACHINES[row.device], row.step_s(Convention.HARDWARE)
        yield Case(name, label_of(row), "megatron", machine, (plan,), measured_s, facts)


def _with_experts(row: PublishedRow, plan: TrainingPlan) -> TrainingPlan:
    """The plan with what is computed again, and with DeepSeek-V3's prediction of a second token.

    That is there wherever the two rates of a row mean 260 GFLOP per token and not 250: in all rows that do
    not say "w/o MTP".
    """
    plan = replace(plan, recomputed_modules=_recomputed_modules(row))
    has_second = row.model.startswith("deepseek-v3") and "w/o MTP" not in row.notes
    return with_second_token(plan) if has_second else plan


def with_second_token(plan: TrainingPlan) -> TrainingPlan:
    """The plan with multi-token prediction: one layer and one head more (arXiv:2412.19437, section 2.2)."""
    shape = replace(plan.shape, num_layers=plan.shape.num_layers + 1)
    return replace(plan, shape=shape, num_logit_heads=2)


def _is_new(row: PublishedRow) -> bool:
    """Whether the whole step is one graph: MXFP8 from 26.06 on.

    Kimi K2's recipe of that kind has micro-batches of one sequence, the one before of two.
    """
    is_before = row.model.startswith("kimi") and row.micro_sequences == 2
    is_late = any(release in row.source for release in (" 26.06", " 26.08"))
    return row.precision == "MXFP8" and is_late and not is_before


def _recomputed_modules(row: PublishedRow) -> frozenset[RecomputedModule]:
    """The recipes' recompute_modules."""
    one = RecomputedModule
    if row.model.startswith("gpt-oss"):
        chosen = [one.NORMS, one.EXPERT_ACTIVATION]
        return frozenset(
            chosen if row.precision == "BF16" and row.device in ("H100", "B200", "GB200") else []
        )
    if not row.model.startswith(("deepseek", "kimi")) or (_is_new(row) and row.device == "GB300"):
        return frozenset()
    if row.device == "GB300" and row.precision == "BF16":
        return frozenset([one.MLP, one.EXPERT_ACTIVATION])
    has_dense = row.device == "H100" or (row.device == "B200" and row.pipeline == 8)
    has_dense |= row.device == "GB200" and " 25." in row.source and row.precision != "BF16"
    return frozenset([one.LATENT_UP, one.MLP] if has_dense else [one.LATENT_UP])


def _expert_facts(row: PublishedRow) -> dict[str, object]:
    """Dispatch, overlap and the host's time for experts.

    Dispatch by DeepEP or HybridEP, but for Qwen3-235B on H100, B200 and B300, and for GB200 before HybridEP
    (DeepEP knows eight ranks to a domain). It is overlapped for that on H100, for DeepSeek-V3 over 32 ranks
    on B200, for gpt-oss on GB200 from 26.04 on, and for MXFP8 from 26.06 on, when activation and
    quantisation also moved into the grouped products (cutedsl_fused_grouped_mlp) and the whole step into one
    graph; before, on GB200 and GB300 attention and router were graphs.
    """
    is_plain = row.model.startswith("qwen3-235b") and row.device in ("H100", "B200", "B300")
    is_plain |= " 25.09" in row.source and row.device == "GB200"
    overlaps = (
        _is_new(row) or (row.device == "B200" and row.expert == 32) or (is_plain and row.device == "H100")
    )
    overlaps |= row.model.startswith("gpt-oss") and row.device == "GB200" and " 26.04" in row.source
    facts: dict[str, object] = {"sends_tokens_once": not is_plain}
    facts["overlap.expert_frac"] = 0.9 if overlaps else 0.0
    if row.device in ("GB200", "GB300"):
        facts["expert_host_s"] = GRAPHED_EXPERTS_S
    if _is_new(row):
        facts |= {"elementwise_factor": FUSED_EXPERTS, "expert_host_s": 0.0, "layer_host_s": 0.0}
    return facts
