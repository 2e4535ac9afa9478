"""Step times for tests of the engine: affine in the context, and affine by pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class AffineTimer:
    """A launch, a cost per token, a cost per token of context, a cost per query-key pair."""

    launch_s: float = 8e-3
    token_s: float = 3e-5
    context_s: float = 2e-6
    pair_s: float = 1e-7

    def mixed_s(
        self, num_decodes: int, decode_context_tokens: int, chunks: Sequence[tuple[int, int]]
    ) -> float:
        num_tokens = num_decodes + sum(size for size, _ in chunks)
        pairs = sum(size * (size + cached) for size, cached in chunks)
        batch_s = self.launch_s + self.token_s * num_tokens + self.pair_s * pairs
        return batch_s + self.context_s * decode_context_tokens

    def decode_piece(self, num_decodes: int, context_tokens: int) -> tuple[float, float, int]:
        return self.launch_s + self.token_s * num_decodes, self.context_s, 1 << 60


@dataclass(frozen=True)
class PiecewiseTimer:
    """As a kernel that changes its plan at multiples of some context: another line on each piece."""

    piece_tokens: int = 50
    affine: AffineTimer = AffineTimer()

    def mixed_s(
        self, num_decodes: int, decode_context_tokens: int, chunks: Sequence[tuple[int, int]]
    ) -> float:
        piece = decode_context_tokens // self.piece_tokens
        bend_s = self._bend_s(piece) + self._slope_s(piece) * decode_context_tokens
        return self.affine.mixed_s(num_decodes, 0, chunks) + bend_s

    def decode_piece(self, num_decodes: int, context_tokens: int) -> tuple[float, float, int]:
        piece = context_tokens // self.piece_tokens
        intercept_s = self.affine.mixed_s(num_decodes, 0, ()) + self._bend_s(piece)
        return intercept_s, self._slope_s(piece), (piece + 1) * self.piece_tokens

    def _bend_s(self, piece: int) -> float:
        return 1e-4 * (piece * 7 % 5)

    def _slope_s(self, piece: int) -> float:
        return self.affine.context_s * (piece * 3 % 4)
