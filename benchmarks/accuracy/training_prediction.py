"""Predicting a published training step: the catalogue's hardware, the software's facts, the formulas."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from benchmarks.accuracy.training_case import Case, Machine
from dcsim.catalog.accelerator import Accelerator
from dcsim.catalog.link import Link
from dcsim.catalog.loader import load_entry
from dcsim.catalog.node import Node
from dcsim.catalog.software import Software
from dcsim.errors import InfeasibleError
from dcsim.formulas.datatypes import Datatype
from dcsim.formulas.network.torus_time import axis_wraps
from dcsim.formulas.training.breakdown import TrainingStep
from dcsim.formulas.training.hardware import TrainingHardware
from dcsim.formulas.training.memory import rank_memory
from dcsim.formulas.training.plan import TrainingPlan
from dcsim.formulas.training.software import SoftwareFacts
from dcsim.formulas.training.step import training_step
from dcsim.spec.training.hardware import training_hardware

OVERLAP = "overlap."  # begins those of a case's facts that belong to the overlap
_BRACKET = (0.3, 1.5)  # efficiencies between which the fitted one is sought


@dataclass(frozen=True, slots=True)
class Prediction:
    """A case, and the step that the formulas give for its fastest plan; None where no plan fits."""

    case: Case
    plan: TrainingPlan
    step: TrainingStep

    @property
    def log_error(self) -> float:
        """log(predicted / measured)."""
        return math.log(self.step.total_s / self.case.measured_s)

    @property
    def error_frac(self) -> float:
        """Predicted over measured, less one."""
        return self.step.total_s / self.case.measured_s - 1.0


@cache
def hardware_of(machine: Machine, linear: Datatype) -> TrainingHardware:
    """The hardware of a machine, for linear layers in a datatype."""
    node = load_entry("nodes", machine.node)
    assert isinstance(node, Node)
    changes: dict[str, object] = {}
    if machine.num_nics is not None:
        changes["num_nics"] = machine.num_nics
    if machine.scale_out is not None:
        changes["scale_out"] = machine.scale_out
    node = node.model_copy(update=changes)
    accelerator = load_entry("accelerators", node.accelerator)
    assert isinstance(accelerator, Accelerator)
    hardware = training_hardware(node, accelerator, linear)
    if not machine.torus_axes:
        return hardware
    link, axes = load_entry("links", node.scale_up), machine.torus_axes
    assert isinstance(link, Link)
    wraps = axis_wraps(axes, link.torus_ring_size, needs_cube=link.needs_torus_cubes)
    network = replace(hardware.network, domain_size=math.prod(axes), torus_axes=axes, torus_wraps=wraps)
    return replace(hardware, network=network)


@cache
def preset(name: str) -> SoftwareFacts:
    """The facts of a software of the catalogue."""
    entry = load_entry("software", name)
    assert isinstance(entry, Software)
    return entry.facts


def software_of(case: Case, efficiencies: Mapping[str, float]) -> SoftwareFacts:
    """The case's framework, with what the row states of it and an efficiency in place of the catalogue's."""
    facts = preset(case.framework)
    own = {name: value for name, value in case.facts.items() if not name.startswith(OVERLAP)}
    shares = {
        name.removeprefix(OVERLAP): value for name, value in case.facts.items() if name.startswith(OVERLAP)
    }
    facts = replace(facts, overlap=replace(facts.overlap, **shares), **own)  # type: ignore[arg-type]
    if case.framework in efficiencies:
        facts = replace(facts, efficiency_frac=efficiencies[case.framework])
    return facts


def predict(case: Case, efficiencies: Mapping[str, float] | None = None) -> Prediction | None:
    """The fastest of the case's plans that fit in memory; of a single plan, whether it fits is not asked."""
    software = software_of(case, efficiencies or {})
    try:
        hardware = hardware_of(case.machine, case.plan.linear)
    except InfeasibleError:
        return None
    plans = case.plans
    if len(plans) > 1:
        plans = tuple(plan for plan in plans if rank_memory(plan, software, hardware.memory_bytes).fits) or (
            case.plan,
        )
    steps = [(training_step(plan, hardware, software), plan) for plan in plans]
    step, plan = min(steps, key=lambda pair: pair[0].total_s)
    return Prediction(case, plan, step)


def fitted_efficiency(cases: Sequence[Case]) -> float:
    """The efficiency at which the median logarithmic error of some cases of one framework is zero.

    That is where the mean of their absolute values is least; steps which a cluster's own trouble made long
    do not pull.
    """
    framework, (low, high) = cases[0].framework, _BRACKET
    for _ in range(30):
        middle = math.sqrt(low * high)
        found = [predict(case, {framework: middle}) for case in cases]
        if statistics.median(one.log_error for one in found if one is not None) > 0.0:  # too slow
            low = middle
        else:
            high = middle
    return math.sqrt(low * high)
