"""Log-normal lengths: two parameters each, for closed-form work."""

from __future__ import annotations

import math
from typing import Annotated, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from dcsim.formulas.lognormal import clipped_lognormal_mean
from dcsim.units import Unit
from dcsim.workloads.length_distribution import MAX_TOKENS, LengthDistribution, whole_tokens

CoefficientOfVariation = Annotated[float, Unit("frac", minimum=0, maximum=100)]


class Lognormal(LengthDistribution):
    """Prompt and output lengths are independent and log-normal, with given means and variation.

    mu = ln(mean) - sigma^2 / 2 and sigma^2 = ln(1 + cv^2). Lengths are rounded to whole tokens, at least 1;
    caps cut the tail off and so lower the mean. Recorded lengths are capped and have several modes, so a
    log-normal fits them poorly: prefer ``quantiles`` or ``bootstrap`` where recordings exist.
    """

    prompt_mean: float = Field(ge=1, le=MAX_TOKENS, description="Mean prompt tokens, before caps.")
    output_mean: float = Field(ge=1, le=MAX_TOKENS, description="Mean output tokens, before caps.")
    cv: CoefficientOfVariation | None = Field(
        default=None, description="Coefficient of variation of both lengths."
    )
    prompt_cv: CoefficientOfVariation | None = Field(
        default=None, description="Coefficient of variation of the prompt length."
    )
    output_cv: CoefficientOfVariation | None = Field(
        default=None, description="Coefficient of variation of the output length."
    )
    prompt_max: int | None = Field(
        default=None, gt=0, le=MAX_TOKENS, description="Longest prompt; longer ones are cut to it."
    )
    output_max: int | None = Field(
        default=None, gt=0, le=MAX_TOKENS, description="Longest output; longer ones are cut to it."
    )

    @model_validator(mode="after")
    def _has_each_cv_once(self) -> Self:
        own = (self.prompt_cv, self.output_cv)
        if self.cv is None and None in own:
            raise PydanticCustomError("lognormal", "give cv, or both prompt_cv and output_cv")
        if self.cv is not None and None not in own:
            raise PydanticCustomError(
                "lognormal", "cv has no effect beside prompt_cv and output_cv: leave it out"
            )
        return self

    @property
    def mean_tokens(self) -> tuple[float, float]:
        """Means of the clipped distributions."""
        return (
            self._clipped_mean(self.prompt_mean, self._log_sd(self.prompt_cv), self.prompt_max),
            self._clipped_mean(self.output_mean, self._log_sd(self.output_cv), self.output_max),
        )

    def sample(self, rng: np.random.Generator, num_requests: int) -> npt.NDArray[np.int64]:
        """Exponentials of normal draws."""
        log_sd = np.array([self._log_sd(self.prompt_cv), self._log_sd(self.output_cv)])
        log_mean = np.log([self.prompt_mean, self.output_mean]) - log_sd**2 / 2
        lengths = np.exp(log_mean + log_sd * rng.standard_normal((num_requests, 2)))
        return whole_tokens(lengths, (self.prompt_max, self.output_max))

    @staticmethod
    def _clipped_mean(mean: float, log_sd: float, highest: int | None) -> float:
        median = mean * math.exp(-(log_sd**2) / 2)
        return clipped_lognormal_mean(median, log_sd, 1.0, MAX_TOKENS if highest is None else highest)

    def _log_sd(self, own_cv: float | None) -> float:
        cv = self.cv if own_cv is None else own_cv
        assert cv is not None  # the validator saw to it
        return math.sqrt(math.log1p(cv**2))
