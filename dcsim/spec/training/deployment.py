"""A training job with every default resolved: what the estimate and the simulation compute with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from dcsim.catalog.efficiency import Efficiency
from dcsim.catalog.model import Model
from dcsim.catalog.trained_model import counted_in
from dcsim.errors import InfeasibleError
from dcsim.formulas.training.breakdown import TrainingStep
from dcsim.formulas.training.hardware import TrainingHardware
from dcsim.formulas.training.memory import RankMemory
from dcsim.formulas.training.plan import TrainingPlan
from dcsim.formulas.training.software import SoftwareFacts
from dcsim.formulas.training.step import UNDISTURBED, StepCondition
from dcsim.formulas.training.traffic import Pattern
from dcsim.spec.fabric import torus_wraps
from dcsim.spec.scenario import Scenario
from dcsim.spec.training.forms import JobForm, fixed_cost_form, transformer_form
from dcsim.spec.training.hardware import training_hardware
from dcsim.spec.training.job import TrainingJob
from dcsim.spec.training.plan import num_job_accelerators
from dcsim.spec.training.rollout import with_generation

_GIB = 2.0**30
_NUM_CONDITIONS = 4096


@dataclass(frozen=True, slots=True)
class TrainingDeployment:
    """One training job, resolved. ``step`` is its closed form under a condition."""

    name: str
    job: TrainingJob = field(repr=False)
    hardware: TrainingHardware = field(repr=False)
    software: SoftwareFacts = field(repr=False)
    plan: TrainingPlan | None = field(repr=False)  # of a transformer
    num_accelerators: int
    tokens_per_step: int
    model_flops_per_step: float  # what MFU counts
    hardware_flops_per_step: float  # what HFU counts: with what is computed again
    num_weight_bytes: float  # of the whole job, one copy
    num_checkpoint_bytes: float  # of the whole job: weights, master weights and optimiser state
    scale_out: tuple[Pattern, ...]  # what its accelerators send to other domains in one step
    input_bytes_per_token: float
    memory: RankMemory
    time_of: Callable[[StepCondition], TrainingStep] = field(repr=False)

    @property
    def num_nodes(self) -> int:
        """Nodes that hold its accelerators."""
        return -(-self.num_accelerators // self.hardware.num_per_node)

    @property
    def counted_in(self) -> str:
        """What its figures named after tokens count: tokens, or samples of a model without tokens."""
        return counted_in(self.job.model)

    @property
    def scale_out_bytes_per_node(self) -> float:
        """Bytes that a node sends to other nodes in one step."""
        per_node = min(self.hardware.num_per_node, self.num_accelerators)
        return per_node * sum(one.num_bytes for one in self.scale_out)

    @property
    def num_data_parallel(self) -> int:
        """Replicas of the model."""
        return self.num_accelerators if self.plan is None else self.plan.data

    @property
    def num_input_bytes_per_step(self) -> float:
        """Bytes of the data set that a step reads."""
        return self.tokens_per_step * self.input_bytes_per_token

    def step(self, condition: StepCondition = UNDISTURBED) -> TrainingStep:
        """The time of a step by cause; the same object for equal conditions."""
        return self.time_of(condition)


def resolve_training(scenario: Scenario, name: str) -> TrainingDeployment:
    """The training job ``name`` with every default resolved.

    Raises
    ------
    InfeasibleError
        It does not fit in memory (the term that overflows is named), the accelerator lacks a datatype, or
        the cluster is too small.
    """
    deployment = unchecked_training(scenario, name)
    if not deployment.memory.fits:
        raise InfeasibleError(f"training.{name}: {does_not_fit(deployment.memory)}")
    return deployment


def unchecked_training(scenario: Scenario, name: str) -> TrainingDeployment:
    """As :func:`resolve_training`, whether or not it fits in memory."""
    hardware = job_hardware(scenario, name)
    return training_on(scenario, name, hardware, scenario.training[name].software.facts)


def job_hardware(scenario: Scenario, name: str, efficiency: Efficiency | None = None) -> TrainingHardware:
    """The hardware of the training job ``name``, by an efficiency profile or the accelerator's own."""
    job, cluster = scenario.training[name], scenario.cluster
    return training_hardware(
        cluster.node,
        cluster.installed_accelerator,
        job.precision,
        f"training.{name}",
        num_accelerators=num_job_accelerators(job, cluster),
        efficiency=efficiency,
        fabric_wraps=None if cluster.fabric is None else torus_wraps(cluster.fabric),
    )


def training_on(
    scenario: Scenario, name: str, hardware: TrainingHardware, facts: SoftwareFacts
) -> TrainingDeployment:
    """The training job ``name`` on given hardware with given software, whether or not it fits in memory."""
    job, cluster = scenario.training[name], scenario.cluster
    make = transformer_form if isinstance(job.model, Model) else fixed_cost_form
    form: JobForm = make(job, cluster, hardware, facts, name)
    return TrainingDeployment(
        name=name,
        job=job,
        hardware=hardware,
        software=facts,
        plan=form.plan,
        num_accelerators=form.num_accelerators,
        tokens_per_step=form.tokens_per_step,
        model_flops_per_step=form.model_flops,
        hardware_flops_per_step=form.hardware_flops,
        num_weight_bytes=form.num_weight_bytes,
        num_checkpoint_bytes=form.num_checkpoint_bytes,
        scale_out=form.scale_out,
        input_bytes_per_token=form.input_bytes_per_token,
        memory=form.memory,
        time_of=lru_cache(maxsize=_NUM_CONDITIONS)(with_generation(scenario, name, hardware, form)),
    )


def does_not_fit(memory: RankMemory) -> str:
    """What is too much, term by term."""
    terms = ", ".join(f"{name} {size / _GIB:.1f}" for name, size in memory.terms().items() if size > 0)
    overflowing = memory.overflowing_term() or "weight"
    return (
        f"needs {memory.total_bytes / _GIB:.1f} GiB on the fullest accelerator, which has "
        f"{memory.capacity_bytes / _GIB:.1f}: {overflowing} overflows ({terms} GiB). {_REMEDIES[overflowing]}"
    )


_REMEDIES = {
    "weight": "Use more tensor or pipeline ranks, sharding: full, or a smaller model",
    "gradient": "Use more tensor or pipeline ranks, or sharding: gradients or full",
    "optimizer": "Use more tensor or pipeline ranks, sharding: optimizer, or offload the optimiser",
    "gathered": "Use tensor parallelism beside full sharding, so that a layer is smaller",
    "activation": "Use a smaller micro-batch, recompute: selective or full, or context parallelism",
    "logit": "Use a smaller micro-batch, or more tensor or context ranks",
    "reserved": "Use more ranks, or a smaller micro-batch",
}
