"""Finished runs to show: two short ones that differ in their nodes."""

from __future__ import annotations

import time
from pathlib import Path

import dcsim
from dcsim import Job, Workspace

_PATIENCE_S = 120.0
_SCENARIO = """
name: NAME
question: What does a chat cost on this node?
duration: 4 min
warmup: 30 s
replications: 2
calibration_draws: 2
cluster: {node: NODE, num_nodes: 1}
serving:
  chat:
    model: llama-3.1-8b
    engine: vllm
    num_replicas: 8
    slo: {ttft: 1 s, tpot: 50 ms, attainment: 99 %}
    traffic:
      arrivals: {policy: poisson, rate: 4 /s}
      lengths: {policy: lognormal, prompt_mean: 400, output_mean: 60, cv: 0.8}
facility: {site: us-iowa}
economics: {prices: owned-2026}
"""


def scenario_text(name: str = "chat-h100", node: str = "dgx-h100") -> str:
    """A scenario that is over in a second."""
    return _SCENARIO.replace("NAME", name).replace("NODE", node)


def finished_runs(folder: Path) -> list[Job]:
    """Two runs that are done, in a workspace there."""
    workspace = Workspace(folder)
    jobs = [
        workspace.start(dcsim.load(scenario_text(f"chat-{kind}", f"dgx-{kind}"))) for kind in ("h100", "b200")
    ]
    for job in jobs:
        wait_until_over(job)
        assert job.status().state == "done", job.status().error
    return jobs


def wait_until_over(job: Job) -> None:
    """Wait for a run to end."""
    ends_at_s = time.monotonic() + _PATIENCE_S
    while not job.status().state.is_over:
        assert time.monotonic() < ends_at_s, "it never ended"
        time.sleep(0.05)
