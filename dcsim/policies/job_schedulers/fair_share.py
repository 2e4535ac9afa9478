"""Fair share: whoever holds the smallest dominant share goes next."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Hashable, Mapping

from pydantic import Field

from dcsim.policies.job import Job
from dcsim.policies.job_scheduler import JobScheduler
from dcsim.policies.nodes import PLENTY, Nodes
from dcsim.policies.request import MILLICORES_PER_CORE, Request
from dcsim.policies.room import Room
from dcsim.units import Ratio


class FairShare(JobScheduler):
    """Dominant resource fairness: the queue with the smallest dominant share starts its next job.

    Ghodsi et al., "Dominant Resource Fairness: Fair Allocation of Multiple Resource Types", NSDI 2011,
    algorithm 1. A queue's dominant share is the largest of its shares of accelerators, cores and memory,
    over its weight. Within a queue jobs start in order; a queue whose next job finds no room is passed over.
    """

    weights: Mapping[str, Ratio] = Field(
        default_factory=dict, description="Weight of each queue; 1 for those that are not named."
    )

    def kind(self, job: Job) -> Hashable:
        """A line for each queue."""
        return job.queue

    def decide(self, room: Room) -> None:
        """Start jobs of the poorest queue until no queue's next job finds room."""
        whole = _whole(room.nodes)
        held: dict[str, list[float]] = defaultdict(lambda: [0.0] * len(whole))
        for job in room.running:
            _add(held[job.queue], job.held_request)
        lines = {job.queue: None for job in room.queue.kinds()}
        poorest = [(self._share_frac(held[queue], whole, queue), queue) for queue in lines]
        heapq.heapify(poorest)
        while poorest:
            _, queue = heapq.heappop(poorest)
            first = room.queue.first(queue)
            if first is not None and room.try_start(first):
                _add(held[queue], first.held_request)
                heapq.heappush(poorest, (self._share_frac(held[queue], whole, queue), queue))

    def _share_frac(self, held: list[float], whole: list[float], queue: str) -> float:
        weight = self.weights.get(queue, 1.0)
        dominant = max(have / total for have, total in zip(held, whole, strict=True) if total)
        return dominant / weight if weight else float("inf")


def _add(held: list[float], request: Request) -> None:
    held[0] += request.num_accelerators
    held[1] += request.cores
    held[2] += request.memory_bytes


def _whole(nodes: Nodes) -> list[float]:
    """Accelerators, cores and bytes of memory of the pool; 0 where they are not counted."""
    cores = sum(shape.num_millicores for shape in nodes.shapes if shape.num_millicores < PLENTY)
    memory = sum(shape.memory_bytes for shape in nodes.shapes if shape.memory_bytes < PLENTY)
    return [float(nodes.num_accelerators), cores / MILLICORES_PER_CORE, float(memory)]
