"""Measured points of a profile: its raw samples where there are any, else what its residuals tell of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dcsim.calibration.fit.from_samples import sample_points
from dcsim.calibration.fit.layout import layout_of
from dcsim.calibration.fit.physical import Ceilings
from dcsim.calibration.fit.points import OperatorPoints
from dcsim.calibration.fit.table import looked_up
from dcsim.calibration.fit.work import Work, work_of
from dcsim.calibration.samples import centres, read_samples
from dcsim.catalog.accelerator import Accelerator
from dcsim.catalog.efficiency import Efficiency
from dcsim.formulas.datatypes import Datatype
from dcsim.formulas.residual import ResidualTable

_Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ComparedOperator:
    """Measured points of one operator beside the formula's times and the profile's."""

    points: OperatorPoints
    work: Work
    ceilings: Ceilings
    formula_s: _Array
    predicted_s: _Array
    is_sampled: bool  # from raw samples; else from the residuals, which the prediction meets by construction


def compared(
    profile: Efficiency, accelerator: Accelerator, samples_path: Path | None
) -> list[ComparedOperator]:
    """Every operator of the profile that was measured."""
    tables = profile.residuals()
    found = []
    sampled = {} if samples_path is None else _sampled(samples_path)
    for key in sorted({*tables, *sampled}):
        operator, _, name = key.partition(".")
        if not name or name not in getattr(profile, operator, {}):
            continue
        fitted = getattr(profile, operator)[Datatype(name)]
        ceilings = Ceilings(fitted.launch_s, fitted.compute_frac, fitted.memory_frac)
        points = sampled.get(key)
        if points is None:
            points = table_points(key, tables[key])
        work = work_of(points, accelerator)
        formula_s = ceilings.seconds(work)
        factor = np.exp(looked_up(tables[key], points)) if key in tables else np.ones(len(points))
        if key not in sampled:
            points = _timed(points, formula_s * np.exp(tables[key].log_ratios.reshape(-1)))
        found.append(ComparedOperator(points, work, ceilings, formula_s, formula_s * factor, key in sampled))
    return found


def table_points(key: str, table: ResidualTable) -> OperatorPoints:
    """The points of a table's sites and knots, without times (one second each)."""
    knots = np.meshgrid(*table.axes, indexing="ij")
    positions = np.stack([knot.reshape(-1) for knot in knots], axis=1)
    sites = np.repeat(table.sites, len(positions), axis=0)
    axes = np.tile(positions, (len(table.sites), 1))
    if table.alignment is not None:
        axes = axes / 2.0 ** (np.log2(sites) @ table.alignment.T)
    assert axes.shape[1] == len(layout_of(key).axis_names)
    return OperatorPoints(key, sites, axes, np.ones(len(axes)))


def _timed(points: OperatorPoints, seconds: _Array) -> OperatorPoints:
    return replace(points, seconds=seconds)


def _sampled(path: Path) -> dict[str, OperatorPoints]:
    return {points.key: points for points in sample_points(centres(read_samples(path).table))}
