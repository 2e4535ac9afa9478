"""Every decoder of the catalogue trains at a sane share of the peak, on every accelerator that trains."""

from __future__ import annotations

from pathlib import Path

import pytest

from dcsim.catalog.accelerator import Accelerator
from dcsim.catalog.loader import entry_names, load_entry
from dcsim.catalog.model import Model
from dcsim.catalog.node import Node
from dcsim.errors import InfeasibleError
from dcsim.formulas.datatypes import Datatype
from dcsim.formulas.transformer import TransformerShape, num_parameters
from dcsim.spec.loader import load
from dcsim.spec.training.deployment import TrainingDeployment, unchecked_training
from dcsim.spec.training.hardware import training_hardware

DECODERS = [name for name in entry_names("models") if isinstance(load_entry("models", name), Model)]
LARGE = 15e9  # parameters; beyond, a model is spread over a pipeline as well
NARROW = (Datatype.FP8, Datatype.MXFP4, Datatype.NVFP4)
TEXT = """\
name: any
cluster: {{node: {node}, num_nodes: {num_nodes}}}
training:
  job:
    model: {model}
    num_accelerators: {num_accelerators}
    precision: {precision}
    recompute: {recompute}
    parallelism: {{tensor: {tensor}, pipeline: {pipeline}, expert: {expert}}}
    batch: {{sequences: 1024, micro: {micro}, tokens: 2048}}
    steps: 10
"""


def deployment(path: Path, **words: object) -> TrainingDeployment:
    (path / "any.yaml").write_text(TEXT.format(**words), encoding="utf-8")
    return unchecked_training(load(path / "any.yaml"), "job")


def spread(name: str) -> dict[str, int]:
    """A plan such as published recipes have: tensor ranks for dense models, expert ranks for the others."""
    shape = shape_of(name)
    if num_parameters(shape) <= LARGE:
        return {"tensor": 1, "pipeline": 1, "expert": 1, "micro": 4, "num_nodes": 2, "num_accelerators": 16}
    pipeline = next(size for size in (8, 6, 5, 4, 3, 1) if shape.num_layers % size == 0)
    tensor, expert, micro = (4, 1, 2) if shape.experts is None else (1, 8, 8)
    return {
        "tensor": tensor,
        "pipeline": pipeline,
        "expert": expert,
        "micro": micro,
        "num_nodes": pipeline,
        "num_accelerators": 8 * pipeline,
    }


def shape_of(name: str) -> TransformerShape:
    entry = load_entry("models", name)
    assert isinstance(entry, Model)
    return entry.shape


@pytest.mark.parametrize("name", DECODERS)
def test_every_decoder_uses_a_sane_share_of_the_peak(tmp_path: Path, name: str) -> None:
    job = deployment(
        tmp_path, model=name, node="dgx-h100", precision="bf16", recompute="full", **spread(name)
    )
    step = job.step()
    assert 0.10 < step.mfu_frac < 0.70
    assert step.mfu_frac <= step.hfu_frac
    assert step.total_s == pytest.approx(sum(step.by_name().values()))
    assert job.memory.total_bytes > job.num_weight_bytes / job.num_accelerators


def is_known(node: Node, accelerator: Accelerator, datatype: Datatype) -> bool:
    """Whether the accelerator has the datatype, and its efficiency profile too."""
    try:
        training_hardware(node, accelerator, datatype)
    except InfeasibleError:
        return False
    return datatype in accelerator.peak_flops_per_s


def known() -> list[tuple[str, Datatype]]:
    """Nodes of accelerators that train, with the narrow datatypes they know."""
    found = []
    for name in entry_names("nodes"):
        node = load_entry("nodes", name)
        assert isinstance(node, Node)
        entry = load_entry("accelerators", node.accelerator)
        assert isinstance(entry, Accelerator)
        if entry.memory_bytes >= 80e9:
            found += [(name, each) for each in NARROW if is_known(node, entry, each)]
    return found


@pytest.mark.parametrize(("node", "narrow"), known())
def test_narrow_datatypes_are_faster_but_by_less_than_their_peaks(
    tmp_path: Path, node: str, narrow: Datatype
) -> None:
    words: dict[str, object] = {"model": "llama-3.1-8b", "node": node, "num_nodes": 2, "num_accelerators": 8}
    words |= {"recompute": "none", "tensor": 1, "pipeline": 1, "expert": 1, "micro": 1}
    wide = deployment(tmp_path, precision="bf16", **words)
    job = deployment(tmp_path, precision=str(narrow), **words)
    gain = wide.step().total_s / job.step().total_s
    peaks = job.hardware.linear.peak_flops_per_s / wide.hardware.linear.peak_flops_per_s
    assert 1.0 < gain < peaks
