"""Published training on TPU slices: MaxText's synthetic models and PaLM."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from benchmarks.accuracy.training_case import Case, Machine, label_of, plan_of
from benchmarks.accuracy.training_rows import TERA, PublishedRow, flops_per_token
from dcsim.catalog.accelerator import Accelerator
from dcsim.catalog.loader import load_entry
from dcsim.formulas.datatypes import Datatype
from dcsim.formulas.training.choices import OPTIMIZERS, OptimizerName, Recompute, Sharding
from dcsim.formulas.training.plan import TrainingPlan
from dcsim.formulas.transformer import TransformerShape
from dcsim.policies.pipeline_schedules.one_forward_one_backward import OneForwardOneBackward

VOCABULARY = 32_000


@dataclass(frozen=True, slots=True)
class Recipe:
    """What MaxText's script of one model sets: sequences per chip, tensor parallelism, recomputation."""

    num_sequences: int
    tensor: int
    recompute: Recompute


RECIPES: Mapping[tuple[str, str], Recipe] = {  # AI-Hypercomputer/maxtext, src/maxtext/configs/tpu/*/*.sh
    ("TPU-v5p", "32b"): Recipe(6, 4, Recompute.NONE),  # remat_policy=minimal keeps the products' results
    ("TPU-v5p", "64b"): Recipe(3, 4, Recompute.NONE),
    ("TPU-v5p", "128b"): Recipe(1, 8, Recompute.NONE),
    ("TPU-v5p", "256b"): Recipe(1, 8, Recompute.NONE),
    ("TPU-v5p", "512b"): Recipe(2, 8, Recompute.FULL),
    ("TPU-v5p", "1024b"): Recipe(2, 16, Recompute.FULL),
    ("TPU-v5e", "16b"): Recipe(6, 1, Recompute.FULL),
    ("TPU-v5e", "64b"): Recipe(1, 1, Recompute.FULL),
    ("TPU-v5e", "128b"): Recipe(1, 16, Recompute.FULL),  # qkv_proj_offloaded: the MLP is computed again
    ("TPU-v4", "22b"): Recipe(13, 1, Recompute.FULL),
    ("TPU-v4", "52b"): Recipe(7, 1, Recompute.FULL),
}
SLICES: Mapping[str, Mapping[int, tuple[int, ...]]] = {  # axes of the torus by chips of a slice
    "TPU-v5p": {
        64: (4, 4, 4),
        128: (4, 4, 8),
        256: (4, 8, 8),
        512: (8, 8, 8),
        1024: (8, 8, 16),
        2048: (8, 16, 16),
    },
    "TPU-v5e": {256: (16, 16)},
    "TPU-v4": {64: (4, 4, 4), 192: (4, 4, 12), 3072: (12, 16, 16)},
}
NODES = {"TPU-v4": "tpu-v4-host", "TPU-v5e": "tpu-v5e-host", "TPU-v5p": "tpu-v5p-host"}
V4_SHAPES = {  # v4/22b.sh and 52b.sh: plain MLPs and heads of 256 give the sizes in the names
    "22b": TransformerShape(48, 6144, 24, 24, 256, 24576, VOCABULARY, is_gated=False),
    "52b": TransformerShape(32, 12288, 32, 32, 256, 49152, VOCABULARY, is_gated=False),
}


def scaled_shape(billions: int) -> TransformerShape:
    """MaxText's model of ``global_parameter_scale``: its base (16 layers, 2048 wide) scaled in powers of two.

    The powers go to layers, width, heads and inner width in turn (maxtext, pyconfig.get_individual_scales).
    """
    whole, rest = divmod(int(math.log2(billions)), 3)
    heads = whole + (1 if rest > 0 else 0)
    return TransformerShape(
        num_layers=16 * 2**whole,
        hidden_size=2048 * 2 ** (whole + (1 if rest > 1 else 0)),
        num_heads=16 * 2**heads,
        num_kv_heads=16 * 2**heads,
        head_size=128,
        ffn_size=7168 * 2**heads,
        vocab_size=VOCABULARY,
    )


def maxtext_cases(rows: list[PublishedRow]) -> Iterator[Case]:
    """MaxText: FSDP and tensor parallelism within a slice, copies of it over the data-centre network.

    Its rate counts three forward passes and the whole square of attention. Master weights are kept in 32
    bits and gathered in 16.
    """
    for row in rows:
        if row.metric == "mfu" and row.device == "TPU-v5p":
            continue  # the same run as TFLOP/s
        size = row.model.removeprefix("maxtext-")
        recipe = RECIPES[row.device, size]
        shape = V4_SHAPES.get(size) or scaled_shape(int(size.removesuffix("b")))
        num_slices = int(row.notes.split("x ")[0])
        chips = row.num_accelerators // num_slices
        plan = _plan(shape, recipe, row.num_accelerators, chips)
        rate = row.value * (TERA if row.metric == "tflops_per_gpu" else _peak(row.device))
        flops = recipe.num_sequences * row.num_sequence_tokens * flops_per_token(shape, 2048)
        machine = Machine(NODES[row.device], torus_axes=SLICES[row.device][chips])
        name = f"MaxText {row.device}" + (", several slices" if num_slices > 1 else "")
        yield Case(name, f"{label_of(row)} {row.notes[:12]}", "maxtext", machine, (plan,), flops / rate)


def _plan(shape: TransformerShape, recipe: Recipe, num_chips: int, chips_per_slice: int) -> TrainingPlan:
    return TrainingPlan(
        shape=shape,
        num_sequences=recipe.num_sequences * num_chips,
        num_sequence_tokens=2048,
        schedule=OneForwardOneBackward(),
        micro_sequences=recipe.num_sequences * recipe.tensor,
        tensor=recipe.tensor,
        data=num_chips // recipe.tensor,
        num_shards=chips_per_slice // recipe.tensor,
        has_sequence_parallelism=recipe.tensor > 1,
        recompute=recipe.recompute,
        sharding=Sharding.FULL,
        linear=Datatype.BF16,
    )


def palm_cases(rows: list[PublishedRow]) -> Iterator[Case]:
    """PaLM 540B on two pods of 3,072 TPU v4: 12-way model, 256-way data parallel, weights fully sharded.

    Adafactor (arXiv:2204.02311, section 5); blocks are recomputed, as 57.8 of 46.2 % says. Tensor-parallel
    collectives in parts beside their products came later (Wang et al., ASPLOS 2023).
    """
    for row in rows:
        if row.device != "TPU-v4" or row.metric != "tokens_per_s_per_gpu":
            continue
        plan = replace(
            plan_of(row, sharding=Sharding.FULL, has_sequence_parallelism=True),
            micro_sequences=4,
            num_shards=256,
            optimizer=OPTIMIZERS[OptimizerName.ADAFACTOR],
        )
        machine = Machine("tpu-v4-host", torus_axes=SLICES["TPU-v4"][3072])
        measured_s = row.num_sequences * row.num_sequence_tokens / (row.value * row.num_accelerators)
        facts = {"overlap.tensor_frac": 0.0, "overlap.tensor_gradients_frac": 0.0}
        yield Case("PaLM 540B on TPU v4", label_of(row), "maxtext", machine, (plan,), measured_s, facts)


def _peak(device: str) -> float:
    entry = load_entry("accelerators", device.lower())
    assert isinstance(entry, Accelerator)
    return entry.peak_flops_per_s[Datatype.BF16]
