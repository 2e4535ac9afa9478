"""How long a training job goes on: steps from tokens or epochs, and the rounds of a sweep."""

from __future__ import annotations

import math

from dcsim.spec.training.job import TrainingJob


def num_job_steps(job: TrainingJob, tokens_per_step: float) -> float | None:
    """Optimiser steps of one trial; None if the job has no given end."""
    if job.steps is not None:
        return float(job.steps)
    tokens = job.tokens
    if job.epochs is not None and job.dataset_tokens is not None:
        tokens = job.epochs * job.dataset_tokens
    return None if tokens is None else float(math.ceil(tokens / tokens_per_step))


def num_trials(job: TrainingJob) -> int:
    """Trials of a sweep; 1 for a job that is none."""
    return 1 if job.sweep is None else job.sweep.trials


def num_concurrent_trials(job: TrainingJob) -> int:
    """Trials that run at the same time."""
    return 1 if job.sweep is None else min(job.sweep.concurrent, job.sweep.trials)


def num_rounds(job: TrainingJob) -> int:
    """Rounds of trials one after the other: 1 for a job that is no sweep."""
    return 1 if job.sweep is None else math.ceil(job.sweep.trials / job.sweep.concurrent)
