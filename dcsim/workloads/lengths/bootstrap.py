"""Bootstrap: recorded pairs of prompt and output length, drawn with replacement."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from dcsim.workloads.csv_file import NUMBER, open_csv
from dcsim.workloads.data_file import resolved
from dcsim.workloads.length_distribution import MAX_TOKENS, LengthDistribution
from dcsim.workloads.recorded_columns import RowCheck

Tokens = Annotated[int, Field(ge=1, le=MAX_TOKENS)]


class Bootstrap(LengthDistribution):
    """Whole rows are drawn, each with equal chance, so that what joins prompt and output stays joined.

    Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7(1), 1979.
    """

    rows: tuple[tuple[Tokens, Tokens], ...] | None = Field(
        default=None, description="Pairs [prompt, output]."
    )
    file: str | None = Field(
        default=None, description="CSV file with the pairs, relative to the scenario's folder."
    )
    prompt_column: str = Field(default="num_prompt_tokens", description="Column of the prompt tokens.")
    output_column: str = Field(default="num_output_tokens", description="Column of the output tokens.")

    @field_validator("rows")
    @classmethod
    def _has_rows(cls, rows: tuple[tuple[int, int], ...] | None) -> tuple[tuple[int, int], ...] | None:
        if rows is not None and not rows:
            raise PydanticCustomError("bootstrap", "must list at least one pair")
        return rows

    @field_validator("file")
    @classmethod
    def _resolve(cls, file: str | None, info: ValidationInfo) -> str | None:
        folder = (info.context or {}).get("folder")
        return file if file is None or folder is None else str(resolved(file, folder))

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if (self.rows is None) == (self.file is None):
            raise PydanticCustomError("bootstrap", "give either rows or a file with them")
        return self

    @property
    def mean_tokens(self) -> tuple[float, float]:
        """Means over the rows."""
        prompt, output = self._pairs.mean(axis=0)
        return float(prompt), float(output)

    def sample(self, rng: np.random.Generator, num_requests: int) -> npt.NDArray[np.int64]:
        """Rows chosen uniformly."""
        chosen = (rng.random(num_requests) * len(self._pairs)).astype(np.int64)
        return self._pairs[chosen]

    @cached_property
    def _pairs(self) -> npt.NDArray[np.int64]:
        if self.file is None:
            return np.array(self.rows, dtype=np.int64)
        file = open_csv(Path(self.file))
        names = (self.prompt_column, self.output_column)
        columns = file.columns(dict.fromkeys(names, NUMBER))
        check = RowCheck(file.path, file.line_of)
        return np.stack([check.tokens(name, columns[name].astype(np.float64)) for name in names], axis=1)
