"""What an engine needs to know about time: a step timer.

The engine asks a :class:`StepTimer` and knows no formula. ``formula_timer.py`` answers from the
performance model; another timer (measured tables, a constant) is any object with the same two methods.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from dcsim.policies.scheduler import Chunk

ENDLESS = 1 << 62  # a context that no piece of a step-time curve ends before


class PrefillWork(NamedTuple):
    """The prompt chunks of one step, as sums (see the columns of the table ``steps``)."""

    num_tokens: int
    num_chunks: int
    pairs: int
    square: int
    context_tokens: int
    num_finished: int  # prompts that end in this step, each yielding a token


NO_WORK = PrefillWork(0, 0, 0, 0, 0, 0)


def prefill_work(chunks: Sequence[Chunk]) -> PrefillWork:
    """The sums over the prompt chunks of a step."""
    tokens = pairs = square = context = finished = 0
    for request, count in chunks:
        cached = request.num_computed_tokens
        tokens += count
        pairs += count * cached
        square += count * count
        context += count + cached
        finished += cached + count == request.num_target_tokens
    return PrefillWork(tokens, len(chunks), pairs, square, context, finished)


class StepTimer(Protocol):
    """What an engine needs to know about time."""

    def mixed_s(
        self, num_decodes: int, decode_context_tokens: int, work: PrefillWork, chunks: Sequence[Chunk]
    ) -> float:
        """Time of a step with prompt chunks, given as sums and one by one."""

    def decode_piece(self, num_decodes: int, context_tokens: int) -> tuple[float, float, int]:
        """The affine piece of the decode-only step time that holds ``context_tokens``.

        Returns (intercept_s, slope_s_per_token, end): while the summed context is below ``end``, a step
        takes intercept + slope x context.
        """
