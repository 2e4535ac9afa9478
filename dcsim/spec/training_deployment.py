"""A training job with every default resolved: what the estimate and the simulation compute with."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from dcsim.errors import InfeasibleError
from dcsim.formulas.checkpoint import SavedBytes, num_checkpoint_bytes
from dcsim.formulas.training.breakdown import TrainingStep
from dcsim.formulas.training.choices import MASTER_BYTES
from dcsim.formulas.training.flops import StepFlops, step_flops
from dcsim.formulas.training.hardware import TrainingHardware
from dcsim.formulas.training.memory import RankMemory, rank_memory
from dcsim.formulas.training.plan import TrainingPlan
from dcsim.formulas.training.products import wide_bytes
from dcsim.formulas.training.software import SoftwareFacts
from dcsim.formulas.training.step import UNDISTURBED, StepCondition, training_step
from dcsim.formulas.training.totals import num_job_parameters, num_job_trained_parameters
from dcsim.formulas.training.traffic import scale_out_bytes
from dcsim.spec.scenario import Scenario
from dcsim.spec.training import TrainingJob
from dcsim.spec.training_hardware import training_hardware
from dcsim.spec.training_plan import training_plan

DEFAULT_BYTES_PER_TOKEN = 4.0  # an index of the vocabulary in 32 bits
GIB = 2.0**30


@dataclass(frozen=True)
class TrainingDeployment:
    """One training job, resolved. ``step`` is its closed form under a condition."""

    name: str
    job: TrainingJob = field(repr=False)
    plan: TrainingPlan = field(repr=False)
    hardware: TrainingHardware = field(repr=False)
    software: SoftwareFacts = field(repr=False)
    input_bytes_per_token: float
    memory: RankMemory

    @property
    def num_accelerators(self) -> int:
        """Accelerators at work."""
        return self.plan.num_accelerators

    @property
    def num_nodes(self) -> int:
        """Nodes that hold them."""
        return -(-self.num_accelerators // self.hardware.num_per_node)

    @property
    def tokens_per_step(self) -> int:
        """Tokens of one optimiser step."""
        return self.plan.num_step_tokens

    @property
    def model_flops_per_step(self) -> float:
        """Operations that the model needs: what MFU counts."""
        return self._flops.model

    @property
    def hardware_flops_per_step(self) -> float:
        """Operations that are done, recomputation included: what HFU counts."""
        return self._flops.hardware

    @cached_property
    def num_weight_bytes(self) -> float:
        """Bytes of the weights of the whole job, one copy."""
        return num_job_parameters(self.plan) * wide_bytes(self.plan)

    @cached_property
    def num_checkpoint_bytes(self) -> float:
        """Bytes of a checkpoint of the whole job: weights, master weights and optimiser state."""
        wide = wide_bytes(self.plan)
        master = MASTER_BYTES if wide < MASTER_BYTES and self.software.has_master_weights else 0.0
        saved = SavedBytes(wide, master, self.plan.optimizer.state_bytes)
        return num_checkpoint_bytes(num_job_trained_parameters(self.plan), saved)

    @cached_property
    def scale_out_bytes_per_node(self) -> float:
        """Bytes that a node sends to others in one step, for the fabric."""
        per_accelerator = scale_out_bytes(self.plan, self.software, self.hardware.network)
        return per_accelerator * min(self.hardware.num_per_node, self.num_accelerators)

    @property
    def num_input_bytes_per_step(self) -> float:
        """Bytes of the data set that a step reads."""
        return self.tokens_per_step * self.input_bytes_per_token

    def step(self, condition: StepCondition = UNDISTURBED) -> TrainingStep:
        """The time of a step by cause; the same object for equal conditions."""
        found = self._steps.get(condition)
        if found is None:
            found = training_step(
                self.plan,
                self.hardware,
                self.software,
                condition,
                input_bytes_per_token=self.input_bytes_per_token,
            )
            self._steps[condition] = found
        return found

    @cached_property
    def _flops(self) -> StepFlops:
        return step_flops(self.plan, has_flash_attention=self.software.has_flash_attention)

    @cached_property
    def _steps(self) -> dict[StepCondition, TrainingStep]:
        return {}


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
    job, cluster = scenario.training[name], scenario.cluster
    plan, facts = training_plan(job, cluster, name), job.software.facts
    hardware = training_hardware(
        cluster.node, cluster.installed_accelerator, job.precision, f"training.{name}"
    )
    return TrainingDeployment(
        name=name,
        job=job,
        plan=plan,
        hardware=hardware,
        software=facts,
        input_bytes_per_token=_input_bytes_per_token(job, plan),
        memory=rank_memory(plan, facts, hardware.memory_bytes),
    )


def does_not_fit(memory: RankMemory) -> str:
    """What is too much, term by term."""
    terms = ", ".join(f"{name} {size / GIB:.1f}" for name, size in memory.terms().items() if size > 0)
    return (
        f"needs {memory.total_bytes / GIB:.1f} GiB on the fullest accelerator, which has "
        f"{memory.capacity_bytes / GIB:.1f}: {memory.overflowing_term()} overflows ({terms} GiB). "
        + _REMEDIES[memory.overflowing_term() or "weight"]
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


def _input_bytes_per_token(job: TrainingJob, plan: TrainingPlan) -> float:
    if job.dataset.bytes_per_sample is not None:
        return job.dataset.bytes_per_sample / plan.num_sequence_tokens
    return DEFAULT_BYTES_PER_TOKEN if job.dataset.bytes_per_token is None else job.dataset.bytes_per_token
