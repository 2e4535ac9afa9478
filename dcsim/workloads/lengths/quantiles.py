"""Empirical quantiles: lengths drawn by inverting a recorded distribution."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from dcsim.units import Fraction
from dcsim.workloads.length_distribution import MAX_TOKENS, LengthDistribution, whole_tokens

Tokens = Annotated[float, Field(ge=1, le=MAX_TOKENS)]


class Quantiles(LengthDistribution):
    """Prompt and output lengths are drawn independently, each by its inverse distribution function.

    A uniform number is mapped through the quantiles, linearly between neighbours (inverse-transform
    sampling), and rounded to whole tokens.
    """

    probabilities: tuple[Fraction, ...] = Field(description="Probabilities, rising from 0 to 1.")
    prompt: tuple[Tokens, ...] = Field(description="Prompt tokens at each probability.")
    output: tuple[Tokens, ...] = Field(description="Output tokens at each probability.")

    @field_validator("probabilities")
    @classmethod
    def _spans_everything(cls, probabilities: tuple[float, ...]) -> tuple[float, ...]:
        if len(probabilities) < 2:
            raise PydanticCustomError("quantiles", "must list at least two probabilities, 0 and 1")
        if any(later <= earlier for earlier, later in pairwise(probabilities)):
            raise PydanticCustomError("quantiles", "must rise strictly")
        if probabilities[0] != 0 or probabilities[-1] != 1:
            raise PydanticCustomError("quantiles", "must begin with 0 and end with 1")
        return probabilities

    @field_validator("prompt", "output")
    @classmethod
    def _never_falls(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        for earlier, later in pairwise(values):
            if later < earlier:
                raise PydanticCustomError(
                    "quantiles",
                    "must not fall: {later} follows {earlier}",
                    {"later": later, "earlier": earlier},
                )
        return values

    @model_validator(mode="after")
    def _has_equal_lengths(self) -> Self:
        counts = {
            "probabilities": len(self.probabilities),
            "prompt": len(self.prompt),
            "output": len(self.output),
        }
        if len(set(counts.values())) > 1:
            shown = ", ".join(f"{count} {name}" for name, count in counts.items())
            raise PydanticCustomError(
                "quantiles", "all three lists must be equally long: {shown}", {"shown": shown}
            )
        return self

    @property
    def mean_tokens(self) -> tuple[float, float]:
        """Areas under both inverse distribution functions."""
        prompt, output = (float(np.trapezoid(one, self.probabilities)) for one in (self.prompt, self.output))
        return prompt, output

    def sample(self, rng: np.random.Generator, num_requests: int) -> npt.NDArray[np.int64]:
        """Uniform draws through both inverse distribution functions."""
        uniform = rng.random((num_requests, 2))
        prompt = np.interp(uniform[:, 0], self.probabilities, self.prompt)
        output = np.interp(uniform[:, 1], self.probabilities, self.output)
        return whole_tokens(np.stack([prompt, output], axis=1))
