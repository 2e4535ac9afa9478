"""What every length distribution is: pairs of prompt and output lengths."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import numpy.typing as npt

from dcsim.plugins import Policy

MAX_TOKENS = 2**31 - 1  # tables hold token counts in 32 bits


class LengthDistribution(Policy):
    """Base of all length distributions."""

    @property
    def mean_tokens(self) -> tuple[float, float] | None:
        """Mean prompt and output tokens, before rounding to whole ones; None without a closed form."""
        return None

    @abstractmethod
    def sample(self, rng: np.random.Generator, num_requests: int) -> npt.NDArray[np.int64]:
        """Prompt and output tokens, shape (num_requests, 2), each at least 1.

        Drawing m and then n requests gives the same lengths as drawing m + n at once.
        """


def whole_tokens(
    lengths: npt.NDArray[np.float64], caps: tuple[int | None, int | None] = (None, None)
) -> npt.NDArray[np.int64]:
    """Lengths rounded to whole tokens, at least 1 and at most the caps of prompt and output."""
    highest = [MAX_TOKENS if cap is None else cap for cap in caps]
    return np.clip(np.rint(lengths), 1, highest).astype(np.int64)
