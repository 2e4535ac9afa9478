"""The decoding sequences of an engine, as counts: work per step does not depend on how many there are.

A sequence that began to decode at decode step e with c computed tokens has c + (d - e) of them at decode
step d. So nothing needs to be written while it decodes: contexts live in one sum that grows by the number
of sequences each step, finishes in a calendar keyed by decode step, and a sequence needs a new KV block
in every step d with (d - e + c) divisible by the block size, that is, always in the same phase.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush

from dcsim.sim.serving.active_request import ActiveRequest


class DecodeBatch:
    """Decoding sequences of one engine."""

    __slots__ = (
        "_block_size",
        "_calendar",
        "_phases",
        "context_tokens",
        "num_blocks_next",
        "num_sequences",
        "step",
    )

    def __init__(self, block_size: int) -> None:
        self.num_sequences = 0
        self.context_tokens = 0  # sum over sequences of the context attended to in the next decode step
        self.step = 0  # decode steps done so far
        self.num_blocks_next = 0  # KV blocks that the sequences need in the next decode step
        self._block_size = block_size
        self._phases = [0] * block_size  # sequences that need a block in decode steps of this phase
        self._calendar: list[tuple[int, int, ActiveRequest]] = []  # (step of finish, admission, request)

    def enter(self, request: ActiveRequest) -> None:
        """A request whose target is computed begins to decode."""
        step, computed = self.step, request.num_computed_tokens
        request.is_decoding = True
        request.entered_step = step
        finish_step = step + request.num_output_tokens - request.num_generated_tokens
        heappush(self._calendar, (finish_step, request.admission, request))
        self.num_sequences += 1
        self.context_tokens += computed + 1
        self._phases[(step - computed) % self._block_size] += 1
        self.num_blocks_next = self._phases[step % self._block_size]

    def leave(self, request: ActiveRequest) -> None:
        """A request stops decoding, for whatever reason; its counts are brought up to date."""
        steps = self.step - request.entered_step
        self._phases[(request.entered_step - request.num_computed_tokens) % self._block_size] -= 1
        self.num_blocks_next = self._phases[self.step % self._block_size]
        request.is_decoding = False
        request.num_computed_tokens += steps
        request.num_generated_tokens += steps
        self.num_sequences -= 1
        self.context_tokens -= request.num_computed_tokens + 1

    def advance(self, num_steps: int) -> Sequence[ActiveRequest]:
        """Every sequence computes one token in each of so many steps.

        Returns the requests whose last token the last step produced, in order of admission.
        """
        step = self.step = self.step + num_steps
        self.context_tokens += self.num_sequences * num_steps
        self.num_blocks_next = self._phases[step % self._block_size]
        calendar = self._calendar
        if not calendar or calendar[0][0] > step:
            return ()
        done: list[ActiveRequest] = []
        while calendar and calendar[0][0] <= step:
            _, admission, request = heappop(calendar)
            if request.admission == admission:
                done.append(request)
        return done

    def num_equal_steps(self, num_free_blocks: int) -> int:
        """Decode steps until the first sequence finishes, or as many as the free blocks allow, if fewer."""
        calendar = self._calendar
        while calendar[0][2].admission != calendar[0][1]:  # preempted or timed out since
            heappop(calendar)
        steps = calendar[0][0] - self.step
        most_blocks = (steps // self._block_size + 1) * self.num_sequences
        if most_blocks <= num_free_blocks or self.num_blocks_needed(steps) <= num_free_blocks:
            return steps
        return self._num_steps_with(num_free_blocks)

    def num_blocks_needed(self, num_steps: int) -> int:
        """KV blocks that the sequences need in the next so many decode steps."""
        size, phases = self._block_size, self._phases
        first = self.step % size
        cycles, rest = divmod(num_steps, size)
        end = first + rest
        needed = cycles * self.num_sequences + sum(phases[first:end])
        return needed if end <= size else needed + sum(phases[: end - size])

    def _num_steps_with(self, num_free_blocks: int) -> int:
        """The most decode steps that so many free blocks allow."""
        size, phases = self._block_size, self._phases
        cycles, free = divmod(num_free_blocks, self.num_sequences)
        steps = cycles * size
        while (needed := phases[(self.step + steps) % size]) <= free:
            free -= needed
            steps += 1
        return steps
