"""Finished runs of a cluster that trains and schedules and serves nothing: short, with failures in them."""

from __future__ import annotations

from pathlib import Path

import dcsim
from dcsim import Job, Workspace
from tests.app.runs import wait_until_over

_SCENARIO = """
name: NAME
question: What does an hour between checkpoints lose?
duration: 2 d
replications: 2
calibration_draws: 0
cluster:
  node: dgx-h100
  num_nodes: 12
  fabric: {topology: leaf_spine}
  storage: {checkpoints: {base: lustre-flash}}
training:
  tune:
    model: llama-3.1-8b
    num_nodes: 8
    parallelism: {tensor: 8}
    batch: {sequences: 128, tokens: 4096}
    recompute: selective
    tokens: 1.0e+13
    checkpoint: {store: checkpoints, interval: INTERVAL}
jobs:
  arrivals: {policy: poisson, rate: 6 /h, duration_mean: 1 h}
  scheduler: easy_backfill
reliability: {preset: meta-rsc, node_mtbf: 5 d, spares: 1}
facility: {site: us-iowa}
economics: {prices: owned-2026}
"""
_JOBS_ALONE = """
name: jobs-alone
cluster: {node: dgx-h100, num_nodes: 2}
jobs:
  arrivals: {policy: poisson, rate: 6 /h, duration_mean: 1 h, jobs: 30}
  scheduler: fifo
"""


def cluster_text(name: str = "save-1h", interval: str = "1 h") -> str:
    """A scenario of training and scheduled jobs that is over in seconds."""
    return _SCENARIO.replace("NAME", name).replace("INTERVAL", interval)


def finished_cluster_runs(folder: Path) -> list[Job]:
    """Two runs that train at different intervals of checkpoints, and one of scheduled jobs alone."""
    workspace = Workspace(folder)
    texts = (cluster_text(), cluster_text("save-6h", "6 h"), _JOBS_ALONE)
    jobs = [workspace.start(dcsim.load(text)) for text in texts]
    for job in jobs:
        wait_until_over(job)
        assert job.status().state == "done", job.status().error
    return jobs
