"""The summary with its intervals, read by attributes: ``result.serving["chat"].ttft_s.p99``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number of the summary and the half-width of its 95 % interval (None if it has none)."""

    value: float
    half_width: float | None = None

    def __float__(self) -> float:
        return float(self.value)

    def __str__(self) -> str:
        return f"{self.value:.6g}" if self.half_width is None else f"{self.value:.6g} ± {self.half_width:.2g}"

    @property
    def low(self) -> float:
        """Lower end of the 95 % interval; the value itself for one replication."""
        return self.value - (self.half_width or 0.0)

    @property
    def high(self) -> float:
        """Upper end of the 95 % interval; the value itself for one replication."""
        return self.value + (self.half_width or 0.0)


Leaf = Estimate | str | bool | list[object] | None


class SummaryView(Mapping[str, "SummaryView | Leaf"]):
    """One level of the summary. Keys are attributes too; numbers come as estimates."""

    def __init__(self, values: Mapping[str, object], intervals: Mapping[str, object], path: str = "") -> None:
        self._values = values
        self._intervals = intervals
        self._path = path

    def __getitem__(self, key: str) -> SummaryView | Leaf:
        value, interval = self._values[key], self._intervals.get(key)
        if isinstance(value, Mapping):
            below = interval if isinstance(interval, Mapping) else {}
            return SummaryView(value, below, f"{self._path}.{key}".lstrip("."))
        if isinstance(value, int | float) and not isinstance(value, bool):
            return Estimate(value, interval if isinstance(interval, int | float) else None)
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

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(key for key in self._values if key.isidentifier())})

    def __repr__(self) -> str:
        return f"<{self._path or 'summary'}: {', '.join(map(str, self._values))}>"
