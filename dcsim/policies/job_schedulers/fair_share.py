"""Fair share: whoever holds the smallest dominant share goes next."""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Mapping

from pydantic import Field

from dcsim.policies.job import Job
from dcsim.policies.job_scheduler import JobScheduler
from dcsim.policies.nodes import PLENTY, Nodes
from dcsim.policies.request import SHARES_PER_ACCELERATOR
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
        if not len(room.queue) or not room.nodes.num_free:
            return
        whole = _whole(room.nodes)
        queues = {job.queue: None for job in room.queue.kinds()}
        poorest = [(self._share_frac(room, whole, queue), queue) for queue in queues]
        heapq.heapify(poorest)
        while poorest:
            _, queue = heapq.heappop(poorest)
            first = room.queue.first(queue)
            if first is not None and room.try_start(first):
                heapq.heappush(poorest, (self._share_frac(room, whole, queue), queue))

    def _share_frac(self, room: Room, whole: tuple[int, ...], queue: str) -> float:
        held, weight = room.running.held(queue), self.weights.get(queue, 1.0)
        dominant = max(have / total for have, total in zip(held, whole, strict=True) if total)
        return dominant / weight if weight else float("inf")


def _whole(nodes: Nodes) -> tuple[int, ...]:
    """Thousandths of accelerators and cores, and bytes of memory, of the pool; 0 where not counted."""
    cores, memory = nodes.total_millicores, nodes.total_memory_bytes
    shares = nodes.num_accelerators * SHARES_PER_ACCELERATOR
    return shares, cores if cores < PLENTY else 0, memory if memory < PLENTY else 0
