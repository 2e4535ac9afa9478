"""Where a scheduler decides: it starts, stops and resizes jobs here, and reads off what is left."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple

import numpy as np

from dcsim.policies.job import Job
from dcsim.policies.job_queue import JobQueue
from dcsim.policies.nodes import Nodes
from dcsim.policies.placement import Placement
from dcsim.policies.request import Part, Request
from dcsim.policies.running_jobs import RunningJobs


class ActionKind(Enum):
    """What a scheduler can do to a job."""

    START = auto()
    STOP = auto()  # the job waits again, and may not start in the same decision
    RESIZE = auto()  # of a running job


class Action(NamedTuple):
    """One thing that a scheduler did."""

    kind: ActionKind
    job: Job
    number: float  # accelerators that it holds from now on; that it held, if it stops
    old_number: float = 0.0  # that a resized job held, and how its run went
    old_speed: float = 1.0
    old_restart_s: float = 0.0


@dataclass(slots=True)
class Room:
    """The nodes with waiting and running jobs at one instant.

    What a scheduler does here takes effect at once on nodes, queue and running jobs, and is listed in
    ``actions``, by which the engine keeps time. ``parts_for`` changes nothing.
    """

    now_s: float
    nodes: Nodes
    placement: Placement
    queue: JobQueue
    running: RunningJobs
    rng: np.random.Generator
    restart_s: float = 0.0  # what a job loses at the start of its next run if it is stopped or resized
    actions: list[Action] = field(default_factory=list)
    _misfits: set[Request] = field(default_factory=set)
    _misfits_as_of: int = -1

    def parts_for(self, job: Job) -> tuple[Part, ...] | None:
        """Where the job would go now, or None if there is no room."""
        request = job.held_request
        if self._misfits_as_of != self.nodes.num_gives:  # only what is given back makes room
            self._misfits.clear()
            self._misfits_as_of = self.nodes.num_gives
        if request in self._misfits:
            return None
        parts = self.placement.place(self.nodes, request, self.rng)
        if parts is None:
            self._misfits.add(request)
        return parts

    def try_start(self, job: Job) -> bool:
        """Start a waiting job if there is room."""
        parts = self.parts_for(job)
        if parts is None:
            return False
        self.start(job, parts)
        return True

    def start(self, job: Job, parts: tuple[Part, ...]) -> None:
        """Start a waiting job on the parts."""
        self.queue.remove(job)
        self._run(job, parts)
        self.actions.append(Action(ActionKind.START, job, job.num_held))

    def stop(self, job: Job) -> None:
        """Stop a running job: it waits again once the decision is over."""
        self.running.remove(job)
        self.nodes.give(job.parts)
        self.actions.append(Action(ActionKind.STOP, job, job.num_held))

    def parts_in_place(self, job: Job, num_accelerators: float) -> tuple[Part, ...] | None:
        """Where a running job could go on at another size, its own accelerators counted as free."""
        asked = job.request
        ratio = num_accelerators / asked.num_accelerators
        request = Request(num_accelerators, asked.cores * ratio, asked.memory_bytes * ratio, asked.models)
        self.nodes.give(job.parts)
        parts = self.placement.place(self.nodes, request, self.rng)
        self.nodes.take(job.parts)
        return parts

    def resize(self, job: Job, num_accelerators: float, parts: tuple[Part, ...], speed: float) -> None:
        """Let a running job go on with other parts, after a restart."""
        self.running.remove(job)
        self.nodes.give(job.parts)
        before = (job.num_held, job.speed, job.restart_s)
        self.actions.append(Action(ActionKind.RESIZE, job, num_accelerators, *before))
        job.attained_s = job.attained_at_s(self.now_s)
        job.estimated_left_s = max(0.0, job.estimated_left_s - job.done_s(self.now_s))
        job.num_held, job.speed, job.restart_s = num_accelerators, speed, self.restart_s
        self._run(job, parts)

    def _run(self, job: Job, parts: tuple[Part, ...]) -> None:
        self.nodes.take(parts)
        job.parts, job.started_at_s = parts, self.now_s
        self.running.add(job)
