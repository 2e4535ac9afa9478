"""A training job as the job scheduler sees it: whole nodes, and what the closed form says it takes."""

from __future__ import annotations

import math

from dcsim.policies.job import Job
from dcsim.policies.request import Request
from dcsim.sim.jobs.job_run import JobRun
from dcsim.sim.training.job import TrainingTask
from dcsim.sim.training.scheduled_gang import QueuedTraining
from dcsim.spec.scenario import Scenario
from dcsim.spec.training.checkpoint import CheckpointPlan, resolve_checkpoint
from dcsim.spec.training.deployment import TrainingDeployment


def queued_training(scenario: Scenario, deployment: TrainingDeployment, task: TrainingTask) -> QueuedTraining:
    """The job as it waits in the queue.

    The scheduler is told the time of its steps and the stalls of its checkpoints with nobody else about, and
    of its start, times ``jobs.estimate_scale``. Its work is that of its steps alone.
    """
    scheduled, jobs = deployment.job.scheduled, scenario.jobs
    assert scheduled is not None
    assert jobs is not None
    plan, recovery = resolve_checkpoint(scenario, deployment), task.recovery
    start_s = recovery.initialization_s + recovery.warmup_s
    stalls_s = 0.0 if plan is None else _num_saves(plan, task.num_steps) * plan.stall_s
    alone_s = task.prepared_s + start_s + task.undisturbed_s + stalls_s
    job = Job(
        0,  # until all jobs stand in one line
        task.submitted_at_s,
        Request(deployment.num_nodes * scenario.cluster.node.num_accelerators),
        alone_s * jobs.estimate_scale,
        queue=scheduled.queue,
        user=scheduled.user,
        priority=scheduled.priority,
    )
    restore_s = 0.0 if plan is None else plan.restore_s
    restart_s = recovery.swap_s + start_s + restore_s
    return QueuedTraining(task.name, JobRun(job, task.undisturbed_s, left_s=task.undisturbed_s), restart_s)


def _num_saves(plan: CheckpointPlan, num_steps: float) -> float:
    """Checkpoints of so many steps: one after the last of them, too."""
    return 0.0 if plan.steps_per_save is None else math.ceil(num_steps / plan.steps_per_save)
