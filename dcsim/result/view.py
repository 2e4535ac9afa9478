"""The summary with its intervals, read by attributes: ``result.serving["chat"].ttft_s.p99``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number of the summary, with its two 95 % intervals (None where it has none).

    ``half_width`` is that over replications. ``prediction`` is low and high end of the interval that also
    holds what is not known of the calibration; an end without bound is infinite.
    """

    value: float
    half_width: float | None = None
    prediction: tuple[float, float] | None = None

    def __float__(self) -> float:
        return float(self.value)

    def __str__(self) -> str:
        if self.prediction is not None:
            return f"{self.value:.6g} [{self.prediction[0]:.4g}, {self.prediction[1]:.4g}]"
        return f"{self.value:.6g}" if self.half_width is None else f"{self.value:.6g} ± {self.half_width:.2g}"

    @property
    def interval(self) -> tuple[float, float]:
        """The widest 95 % interval there is: the prediction's, else the replications', else the value."""
        return self.prediction or (self.low, self.high)

    @property
    def low(self) -> float:
        """Lower end of the replications' 95 % interval; the value itself where there is none."""
        return self.value - (self.half_width or 0.0)

    @property
    def high(self) -> float:
        """Upper end of the replications' 95 % interval; the value itself where there is none."""
        return self.value + (self.half_width or 0.0)


Leaf = Estimate | str | bool | list[object] | None


class SummaryView(Mapping[str, "SummaryView | Leaf"]):
    """One level of the summary. Keys are attributes too; numbers come as estimates."""

    def __init__(
        self,
        values: Mapping[str, object],
        intervals: Mapping[str, object],
        prediction: Mapping[str, object] | None = None,
        path: str = "",
    ) -> None:
        self._values = values
        self._intervals = intervals
        self._prediction = prediction or {}
        self._path = path

    def __getitem__(self, key: str) -> SummaryView | Leaf:
        value, interval, prediction = self._values[key], self._intervals.get(key), self._prediction.get(key)
        if isinstance(value, Mapping):
            below = interval if isinstance(interval, Mapping) else {}
            predicted = prediction if isinstance(prediction, Mapping) else {}
            return SummaryView(value, below, predicted, f"{self._path}.{key}".lstrip("."))
        if isinstance(value, int | float) and not isinstance(value, bool):
            return Estimate(value, interval if isinstance(interval, int | float) else None, _ends(prediction))
        if value is None or isinstance(value, str | bool | list):
            return value
        raise TypeError(f"{self._path}.{key} is a {type(value).__name__}, which no summary holds")

    def __getattr__(self, name: str) -> SummaryView | Leaf:
        if name.startswith("_") or name not in self._values:
            known = ", ".join(map(str, self._values)) if not name.startswith("_") else ""
            raise AttributeError(f"no '{name}' in {self._path or 'the summary'}; it has {known}")
        return self[name]

    def find(self, path: str) -> SummaryView | Leaf:
        """What stands at a dotted path, such as ``serving.chat.ttft_s.p99``; None where nothing does."""
        found: SummaryView | Leaf = self
        for key in path.split("."):
            found = found.get(key) if isinstance(found, SummaryView) else None
        return found

    def number(self, path: str) -> float | None:
        """The number at a dotted path; None where none stands."""
        found = self.find(path)
        return found.value if isinstance(found, Estimate) else None

    def plain(self) -> tuple[Mapping[str, object], Mapping[str, object]]:
        """The values and the half-widths of their intervals, as nested plain mappings."""
        return self._values, self._intervals

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(key for key in self._values if key.isidentifier())})

    def __repr__(self) -> str:
        return f"<{self._path or 'summary'}: {', '.join(map(str, self._values))}>"


def _ends(prediction: object) -> tuple[float, float] | None:
    """The ends of a prediction interval as the summary writes them: null is an end without bound."""
    if not isinstance(prediction, list | tuple) or len(prediction) != 2:
        return None
    low, high = prediction
    return (-math.inf if low is None else low, math.inf if high is None else high)
