"""What every trace format is: a file of requests, read into arrays."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import Field

from dcsim.plugins import Policy, policy_class, policy_names
from dcsim.workloads.data_file import content


@dataclass(frozen=True, slots=True)
class Trace:
    """Requests as recorded: instants from 0, sorted, and lengths of at least 1."""

    arrived_at_s: npt.NDArray[np.float64]
    num_prompt_tokens: npt.NDArray[np.int64]
    num_output_tokens: npt.NDArray[np.int64]


class TraceFormat(Policy):
    """Base of all trace formats."""

    @classmethod
    def recognizes(cls, head: bytes) -> bool:
        """Whether a file that begins so is surely in this format."""
        return False

    @abstractmethod
    def read(self, path: Path) -> Trace:
        """Read a file. Raises ScenarioError, naming the line, if it is empty, unsorted, cut off or binary."""


FORMATS = "dcsim.workloads.traces"
_HEAD_BYTES = 4096


def recognized_format(path: Path) -> TraceFormat:
    """The format that recognises the file's beginning, with its default options; plain CSV if none does."""
    head = content(path, _HEAD_BYTES)
    for name in policy_names(FORMATS):
        found = policy_class(FORMATS, name)
        if issubclass(found, TraceFormat) and found.recognizes(head):
            return found()
    plain = policy_class(FORMATS, "csv")()
    assert isinstance(plain, TraceFormat)
    return plain


class TimeUnit(StrEnum):
    """What an instant in a file is: a number of seconds, or less, since any origin, or a date with a time."""

    S = "s"
    MS = "ms"
    US = "us"
    NS = "ns"
    TIMESTAMP = "timestamp"

    @property
    def length_s(self) -> float:
        """The unit in seconds; a timestamp counts in nanoseconds."""
        unit = "ns" if self is TimeUnit.TIMESTAMP else self.value
        one_second = np.timedelta64(1, "s")
        return 1.0 / float(one_second / np.ones((), dtype=f"timedelta64[{unit}]"))


class NamedColumns(TraceFormat):
    """Base of the formats whose columns the user may name; the defaults are those of dcsim's own tables."""

    time_column: str = Field(default="arrived_at_s", description="Column of the arrival instants.")
    prompt_column: str = Field(default="num_prompt_tokens", description="Column of the prompt tokens.")
    output_column: str = Field(default="num_output_tokens", description="Column of the output tokens.")
    time_unit: TimeUnit | None = Field(
        default=None,
        description="s, ms, us or ns for numbers, timestamp for dates; if left out, dates are recognised and "
        "numbers are seconds.",
    )
