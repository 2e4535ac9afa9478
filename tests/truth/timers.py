"""Step times for tests of queueing: constant, whatever the batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ConstantTimer:
    """Every step takes the same time."""

    step_s: float

    def mixed_s(
        self, num_decodes: int, decode_context_tokens: int, chunks: Sequence[tuple[int, int]]
    ) -> float:
        return self.step_s

    def decode_piece(self, num_decodes: int, context_tokens: int) -> tuple[float, float, int]:
        return self.step_s, 0.0, 1 << 60
