"""The engine of a replica that computes prompts for others: requests leave it with their first token."""

from __future__ import annotations

from collections.abc import Callable

from dcsim.sim.serving.active_request import ActiveRequest, Handoff
from dcsim.sim.serving.engine import Engine


class PrefillEngine(Engine):
    """An engine that hands requests over. Their blocks stay held until the KV cache has arrived elsewhere."""

    __slots__ = ("on_prefilled",)

    on_prefilled: Callable[[ActiveRequest, Handoff], None]

    def release(self, handoff: Handoff, now_s: float) -> None:
        """The KV cache of a request that was handed over is not needed here any more."""
        self._num_sent_blocks -= handoff.parked.num_held_blocks
        self._give_back(handoff.parked)
        if not self._num_steps and self._waiting:
            self.next_event_s = min(self.next_event_s, now_s)

    def _begin_decoding(self, request: ActiveRequest, now_s: float) -> None:
        request.admission = -1
        del self._running[request]
        self._num_sent_blocks += request.num_held_blocks
        self._requests.num_generated_tokens[request.index] = request.num_generated_tokens
        self._logs.num_outstanding[self.number] -= 1
        self.on_prefilled(request, Handoff(self.number, request, now_s))
