"""A scheduler's decision outside of any simulation: two lists and free nodes in, actions out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dcsim.policies.job import Job
from dcsim.policies.job_queue import JobQueue
from dcsim.policies.job_scheduler import JobScheduler
from dcsim.policies.nodes import Nodes, NodeShape
from dcsim.policies.placements.pack import Pack
from dcsim.policies.room import Room
from dcsim.policies.running_jobs import RunningJobs


def decided(
    scheduler: JobScheduler,
    waiting: Sequence[Job],
    running: Sequence[Job],
    sizes: Sequence[int],
    now_s: float = 0.0,
) -> Room:
    """The room after one decision: ``room.actions`` lists what the scheduler did.

    ``sizes`` are the accelerators of each node. Running jobs are packed onto the nodes in order, and have
    run since 0. Raises ValueError where they do not fit.
    """
    nodes, rng = Nodes([NodeShape(size) for size in sizes]), np.random.Generator(np.random.PCG64(1))
    for job in running:
        parts = Pack().place(nodes, job.held_request, rng)
        if parts is None:
            raise ValueError(f"running job {job.number} does not fit")
        nodes.take(parts)
        job.parts, job.started_at_s = parts, 0.0
    queue = JobQueue(scheduler.key, scheduler.kind, waiting)
    room = Room(now_s, nodes, Pack(), queue, RunningJobs(running), rng)
    scheduler.decide(room)
    return room
