"""Fixed lengths: every request alike."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import Field

from dcsim.workloads.length_distribution import MAX_TOKENS, LengthDistribution


class Fixed(LengthDistribution):
    """Every request has the same prompt and output length."""

    num_prompt_tokens: int = Field(
        alias="prompt", gt=0, le=MAX_TOKENS, description="Prompt tokens of every request."
    )
    num_output_tokens: int = Field(
        alias="output", gt=0, le=MAX_TOKENS, description="Output tokens of every request."
    )

    @property
    def mean_tokens(self) -> tuple[float, float]:
        """The lengths."""
        return float(self.num_prompt_tokens), float(self.num_output_tokens)

    def sample(self, rng: np.random.Generator, num_requests: int) -> npt.NDArray[np.int64]:
        """The same pair again and again."""
        return np.tile(
            np.array([[self.num_prompt_tokens, self.num_output_tokens]], dtype=np.int64), (num_requests, 1)
        )
