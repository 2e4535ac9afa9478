"""A profile looked at: its accuracy, and its measured points beside what it predicts, as plain numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dcsim.calibration.report.device import accelerator_of
from dcsim.calibration.report.measured import ComparedOperator, compared
from dcsim.catalog.accelerator import Accelerator
from dcsim.catalog.efficiency import Efficiency, OperatorEfficiency
from dcsim.catalog.loader import build_entry, entry_names, load_entry, read_entry_file
from dcsim.errors import Problem, ScenarioError
from dcsim.validation import nearest

_OPERATORS = ("gemm", "grouped_gemm", "attention_decode", "attention_prefill")


@dataclass(frozen=True, slots=True)
class AccuracyRow:
    """One operator and datatype: its fitted ceilings, and how far off it was on points that it did not see.

    What was not measured is None.
    """

    key: str
    fitted: OperatorEfficiency | None
    median_frac: float | None
    p90_frac: float | None
    num_points: int | None
    log_sd: float | None  # of what one set of shapes is off by as a whole
    split: str  # what was held out


@dataclass(frozen=True, slots=True)
class ProfileReport:
    """A profile, the device that it is of (None where that is not known), its accuracy and its points."""

    profile: Efficiency
    accelerator: Accelerator | None
    accuracy: tuple[AccuracyRow, ...]
    operators: tuple[ComparedOperator, ...]


def profile_report(profile: Path | str, samples_path: Path | None = None) -> ProfileReport:
    """The report on a profile, by path or by its name in the catalogue.

    Raises ScenarioError if there is none, or if a file is no profile or no samples.
    """
    found = read_profile(profile)
    accelerator = accelerator_of(found)
    operators = () if accelerator is None else tuple(compared(found, accelerator, samples_path))
    return ProfileReport(found, accelerator, tuple(_accuracy(found)), operators)


def read_profile(profile: Path | str) -> Efficiency:
    """The profile of a file, or of the catalogue. Raises ScenarioError if there is none."""
    if Path(profile).is_file():
        path = Path(profile)
        entry = build_entry("efficiency", read_entry_file("efficiency", path))
    else:
        names = entry_names("efficiency")
        if str(profile) not in names:
            remedy = nearest(str(profile), names)
            raise ScenarioError(
                Problem("no such file, and no profile of that name", file=str(profile), remedy=remedy)
            )
        entry = load_entry("efficiency", str(profile))
    assert isinstance(entry, Efficiency)
    return entry


def _accuracy(profile: Efficiency) -> Iterator[AccuracyRow]:
    for operator in _OPERATORS:
        for datatype, fitted in getattr(profile, operator).items():
            yield _row(profile, f"{operator}.{datatype}", fitted)
    yield _row(profile, "elementwise", profile.elementwise)
    if "all_reduce" in profile.accuracy:
        yield _row(profile, "all_reduce", None)


def _row(profile: Efficiency, key: str, fitted: OperatorEfficiency | None) -> AccuracyRow:
    held_out, uncertain = profile.accuracy.get(key), profile.uncertainty.get(key)
    log_sd = None if uncertain is None else uncertain.scale
    if held_out is None:
        return AccuracyRow(key, fitted, None, None, None, log_sd, "")
    return AccuracyRow(
        key,
        fitted,
        held_out.median_frac,
        held_out.p90_frac,
        held_out.num_points,
        log_sd,
        held_out.split,
    )
