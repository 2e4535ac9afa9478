"""The errors of dcsim.

DcsimError
├── ScenarioError      the user's input is wrong: where, what, and how to mend it
├── InfeasibleError    the input is well formed, but no such system can exist (does not fit, no route)
└── SimulationError    an invariant of the simulation broke: a defect of dcsim
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_MAX_SHOWN_VALUE = 80


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an input: where it stands, what is wrong and what to do about it."""

    message: str
    path: str = ""
    value: object | None = None
    remedy: str = ""
    file: str = ""
    line: int | None = None

    def __str__(self) -> str:
        where = self.file or "<scenario>"
        if self.line is not None:
            where += f":{self.line}"
        text = f"{where}: "
        if self.path:
            text += f"{self.path}: "
        text += self.message
        if self.value is not None:
            shown = repr(self.value)
            if len(shown) > _MAX_SHOWN_VALUE:
                shown = shown[: _MAX_SHOWN_VALUE - 3] + "..."
            text += f" (got {shown})"
        if self.remedy:
            text += f". {self.remedy}"
        return _one_line(text)


def _one_line(text: str) -> str:
    """Text with everything unprintable escaped, so that a message stays one harmless line."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


class DcsimError(Exception):
    """Base of every error that dcsim raises on purpose."""


class ScenarioError(DcsimError):
    """The user's input is wrong. Carries every problem found, not only the first."""

    def __init__(self, problems: Problem | Sequence[Problem]) -> None:
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type[ScenarioError], tuple[tuple[Problem, ...]]]:
        return (ScenarioError, (self.problems,))


class InfeasibleError(DcsimError):
    """No such system can exist: the model does not fit, too few accelerators, no power, no route."""


class SimulationError(DcsimError):
    """An invariant of the simulation broke. This is a defect of dcsim: please report it."""
