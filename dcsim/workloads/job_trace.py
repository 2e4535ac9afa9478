"""What every job-trace format is: a file of jobs, read into columns."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import Field

from dcsim.plugins import Policy, policy_class, policy_names
from dcsim.workloads.packed_file import unpacked_content

Floats = npt.NDArray[np.float64]
JOB_FORMATS = "dcsim.workloads.job_traces"
_HEAD_BYTES = 4096


@dataclass(frozen=True, slots=True)
class JobTrace:
    """Jobs in the order of submission, the first at 0. All columns are equally long.

    ``num_accelerators`` is a whole number, a fraction of one accelerator, or 0. What a file does not say is
    0 for ``cores`` and ``memory_bytes``, empty for texts, and ``duration_s`` for ``estimated_s``.
    """

    submitted_at_s: Floats
    duration_s: Floats  # run time on the accelerators asked for
    num_accelerators: Floats
    cores: Floats
    memory_bytes: Floats
    estimated_s: Floats  # what the scheduler is told
    priority: Floats
    queue: tuple[str, ...]
    user: tuple[str, ...]
    models: tuple[tuple[str, ...], ...]  # accelerator models that a job accepts; any if empty
    status: tuple[str, ...]  # as recorded

    def __len__(self) -> int:
        return len(self.submitted_at_s)


class JobTraceFormat(Policy):
    """Base of all job-trace formats."""

    keeps_cpu_jobs: bool = Field(
        default=False, alias="cpu_jobs", description="Whether jobs without accelerators are read too."
    )

    @classmethod
    def recognizes(cls, head: bytes) -> bool:
        """Whether a file that begins so is surely in this format."""
        return False

    @abstractmethod
    def read(self, path: Path) -> JobTrace:
        """Read a file. Raises ScenarioError, naming the line, at the first job that cannot be."""


def recognized_job_format(path: Path) -> JobTraceFormat:
    """The format that recognises the file's beginning, with its default options; plain CSV if none does."""
    head = unpacked_content(path, _HEAD_BYTES)
    for name in policy_names(JOB_FORMATS):
        found = policy_class(JOB_FORMATS, name)
        if issubclass(found, JobTraceFormat) and found.recognizes(head):
            return found()
    plain = policy_class(JOB_FORMATS, "csv")()
    assert isinstance(plain, JobTraceFormat)
    return plain
