"""An array that grows at its end."""

from __future__ import annotations

from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

_Scalar = TypeVar("_Scalar", bound=np.generic)
_FIRST_SIZE = 1_024


class Appended(Generic[_Scalar]):
    """An array to which others are appended, each in time that goes by its own length."""

    def __init__(self, dtype: type[_Scalar]) -> None:
        self._memory: npt.NDArray[_Scalar] = np.empty(_FIRST_SIZE, dtype=dtype)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def values(self) -> npt.NDArray[_Scalar]:
        """All that was appended. A view: later appends may leave it behind."""
        return self._memory[: self._size]

    def append(self, values: npt.NDArray[_Scalar]) -> None:
        """Put values behind those that are there."""
        size = self._size + len(values)
        if size > len(self._memory):
            memory = np.empty(max(size, 2 * len(self._memory)), dtype=self._memory.dtype)
            memory[: self._size] = self.values
            self._memory = memory
        self._memory[self._size : size] = values
        self._size = size
