"""What a training job may expect of its failures, in closed form, before anything is simulated."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from dcsim.errors import InfeasibleError
from dcsim.formulas.reliability import CheckpointTimes, productive_share
from dcsim.spec.reliability import Reliability
from dcsim.spec.scenario import Scenario
from dcsim.spec.training.checkpoint import CheckpointPlan, resolve_checkpoint
from dcsim.spec.training.deployment import TrainingDeployment
from dcsim.spec.training.length import num_job_steps, num_rounds
from dcsim.spec.training.obstacles import obstacles
from dcsim.units import span_text


@dataclass(frozen=True, slots=True)
class TrainingProspects:
    """Failures, checkpoints and the share of time that counts, by Daly's complete form.

    ``interval_s`` is None for a job that never saves: it then must get through all its steps at once. Spares
    are taken to be there, stores to be the job's own, and recorded failures are not counted.
    """

    mttf_s: float
    interval_s: float | None
    restart_s: float
    work_s: float  # all its steps undisturbed; infinite for a job without an end
    productive_frac: float

    @property
    def completion_s(self) -> float:
        """Mean time to the end of its steps; infinite where there is none."""
        return self.work_s / self.productive_frac if self.productive_frac > 0 else math.inf

    @property
    def time_to_save_s(self) -> float:
        """Mean time until one more piece of work is safe."""
        piece_s = self.work_s if self.interval_s is None else min(self.interval_s, self.work_s)
        return piece_s / self.productive_frac if self.productive_frac > 0 else math.inf

    def hopeless_reason(self, available_s: float) -> str:
        """Why no work is to be expected to become safe in the time there is; empty if it is."""
        if self.time_to_save_s <= available_s or math.isinf(self.mttf_s):
            return ""
        every = "without checkpoints"
        if self.interval_s is not None:
            every = f"with {span_text(self.interval_s)} to a checkpoint"
        return (
            f"its nodes fail every {span_text(self.mttf_s)} on average, a restart takes "
            f"{span_text(self.restart_s)}: {every}, the first work to be safe would take "
            f"{span_text(self.time_to_save_s)}, and there are {span_text(available_s)}. Save more often, use "
            "fewer nodes, or lower the failure rates"
        )


def require_prospects(
    scenario: Scenario, deployments: Iterable[TrainingDeployment], latest_end_s: float
) -> None:
    """Raise InfeasibleError for a job that cannot get on by the latest end of the simulation, or, where it
    runs to its end, of whose work none may be expected to be safe by then.

    Failures do not refuse jobs within a given duration: these run, and are found stalled.
    """
    for deployment in deployments:
        for reason in obstacles(scenario, deployment, latest_end_s):
            raise InfeasibleError(f"training.{deployment.name}: {reason}")
        if scenario.duration_s is None:
            reason = training_prospects(scenario, deployment).hopeless_reason(latest_end_s)
            if reason:
                raise InfeasibleError(f"training.{deployment.name}: {reason}")


def training_prospects(
    scenario: Scenario, deployment: TrainingDeployment, *, step_s: float | None = None
) -> TrainingProspects:
    """The prospects of one job whose steps take ``step_s``; as long as undisturbed ones, if left out.

    Raises InfeasibleError where its checkpoints do not fit their store.
    """
    reliability = scenario.reliability or Reliability()
    job, step_s = deployment.job, deployment.step().total_s if step_s is None else step_s
    num_steps = num_job_steps(job, deployment.tokens_per_step)
    work_s = math.inf if num_steps is None else num_steps * num_rounds(job) * step_s
    plan = resolve_checkpoint(scenario, deployment)
    shape = reliability.shape(scenario.cluster.node, scenario.cluster.num_nodes)
    mean_s = reliability.job_mttf_s(shape, deployment.num_nodes)
    restart_s = _restart_s(reliability, plan)
    if plan is None or plan.steps_per_save is None:
        share = _share(work_s, mean_s, CheckpointTimes(0.0, restart_s))
        return TrainingProspects(mean_s, None, restart_s, work_s, share)
    interval_s = plan.steps_per_save * step_s
    share = _share(interval_s, mean_s, CheckpointTimes(plan.stall_s, restart_s, plan.drain_s))
    return TrainingProspects(mean_s, interval_s, restart_s, work_s, share)


def _share(piece_s: float, mean_s: float, times: CheckpointTimes) -> float:
    if math.isinf(piece_s):  # nothing is ever saved, and nothing ever ends
        return 1.0 if math.isinf(mean_s) else 0.0
    return productive_share(piece_s, mean_s, times)


def _restart_s(reliability: Reliability, plan: CheckpointPlan | None) -> float:
    times = reliability.recovery
    restore_s = plan.restore_s if plan is not None else 0.0
    parts = (times.detection_s, times.diagnosis_s, times.swap_s, times.initialization_s, times.warmup_s)
    return math.fsum(parts) + restore_s
