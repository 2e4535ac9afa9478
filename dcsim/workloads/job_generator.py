"""What every job generator is: jobs drawn at random."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from dcsim.plugins import Policy
from dcsim.workloads.job_trace import JobTrace


class JobGenerator(Policy):
    """Base of all job generators."""

    @abstractmethod
    def generate(self, rng: np.random.Generator, duration_s: float) -> JobTrace:
        """Jobs submitted in [0, duration_s), which may be infinite if the generator has an end of its own."""
