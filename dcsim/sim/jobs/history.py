"""What users' earlier jobs took, for schedulers that predict."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TypeAlias

_Key: TypeAlias = tuple[str | float, ...]


@dataclass(slots=True)
class RunTimeHistory:
    """Decaying means of finished run times: by user and size, else by user, else by size, else of all."""

    decay_frac: float = 0.8  # estimate: weight that a mean keeps when a new run time comes
    _means_s: dict[_Key, float] = field(default_factory=dict)

    def record(self, user: str, num_accelerators: float, duration_s: float) -> None:
        """A job has finished."""
        for key in _keys(user, num_accelerators):
            mean_s = self._means_s.get(key, duration_s)
            self._means_s[key] = self.decay_frac * mean_s + (1.0 - self.decay_frac) * duration_s

    def predicted_s(self, user: str, num_accelerators: float) -> float:
        """Run time of the user's next job of that size; NaN as long as no job has finished."""
        for key in _keys(user, num_accelerators):
            if key in self._means_s:
                return self._means_s[key]
        return math.nan


def _keys(user: str, num_accelerators: float) -> tuple[_Key, ...]:
    return ((user, num_accelerators), (user,), (num_accelerators,), ())
