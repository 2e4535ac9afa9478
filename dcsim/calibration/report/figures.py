"""The figures of a profile's report, as plotly html."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType

import numpy as np
import numpy.typing as npt

from dcsim.calibration.fit.extra import required_module
from dcsim.calibration.fit.layout import layout_of
from dcsim.calibration.fit.randomness import generator
from dcsim.calibration.report.measured import ComparedOperator
from dcsim.catalog.accelerator import Accelerator
from dcsim.catalog.efficiency import Efficiency
from dcsim.formulas.residual import ResidualTable

_Array = npt.NDArray[np.float64]

_MAX_POINTS = 3000
_MAX_SITES = 120
_LARGEST_PERCENT = 60.0
_HEIGHT_PX = 460


def roofline_figures(found: Sequence[ComparedOperator], accelerator: Accelerator) -> list[str]:
    """Achieved operations per second over arithmetic intensity: peaks, fitted ceilings, measured points."""
    return [_roofline(one, accelerator) for one in found]


def parity_figures(found: Sequence[ComparedOperator]) -> list[str]:
    """Predicted over measured times."""
    return [_parity(one) for one in found]


def residual_figures(profile: Efficiency) -> list[str]:
    """What the formula leaves, in percent, over sites and the first axis."""
    tables: Mapping[str, ResidualTable] = profile.residuals()
    return [_heat_map(key, table) for key, table in sorted(tables.items())]


def plotly_script() -> str:
    """plotly's own JavaScript, for the page's head."""
    script: str = required_module("plotly.offline").get_plotlyjs()
    return script


def _roofline(one: ComparedOperator, accelerator: Accelerator) -> str:
    graph = _graph()
    compute_s, memory_s = one.work.compute_s.sum(axis=0), one.work.memory_s.sum(axis=0)
    shown = _thinned(len(compute_s), compute_s > 0)
    intensity = compute_s / memory_s  # in units of the ridge: 1 where both peaks bind
    share = np.maximum(compute_s, memory_s) / one.points.seconds
    line = np.geomspace(max(float(intensity[shown].min()), 1e-4), float(intensity[shown].max()), 200)
    ceilings = one.ceilings
    fitted = 1.0 / ((1.0 / ceilings.compute_frac) ** 4 + (1.0 / (line * ceilings.memory_frac)) ** 4) ** 0.25
    figure = graph.Figure()
    figure.add_scatter(
        x=intensity[shown],
        y=(share * np.minimum(1.0, intensity))[shown],
        mode="markers",
        marker={"size": 4, "opacity": 0.35},
        name="measured",
    )
    figure.add_scatter(x=line, y=np.minimum(1.0, line), mode="lines", name="peaks", line={"dash": "dot"})
    figure.add_scatter(x=line, y=fitted, mode="lines", name="fitted ceilings, launch left out")
    return _html(
        figure,
        f"{one.points.key}: roofline of {accelerator.title}",
        "arithmetic intensity / intensity at the ridge",
        "share of peak operations per second",
        is_logarithmic=True,
    )


def _parity(one: ComparedOperator) -> str:
    graph = _graph()
    shown = _thinned(len(one.points), np.ones(len(one.points), dtype=bool))
    measured = one.points.seconds[shown] * 1e6
    figure = graph.Figure()
    drawn = [("formula alone", one.formula_s)]
    if one.is_sampled:
        drawn.append(("profile, residuals included", one.predicted_s))
    for name, seconds in drawn:
        figure.add_scatter(
            x=measured, y=seconds[shown] * 1e6, mode="markers", marker={"size": 4, "opacity": 0.4}, name=name
        )
    ends = [float(measured.min()), float(measured.max())]
    figure.add_scatter(x=ends, y=ends, mode="lines", name="equal", line={"dash": "dot"})
    origin = "samples" if one.is_sampled else "points of the residual table"
    return _html(figure, f"{one.points.key}: {origin}", "measured, us", "predicted, us", is_logarithmic=True)


def _heat_map(key: str, table: ResidualTable) -> str:
    graph, layout = _graph(), layout_of(key)
    values = table.log_ratios if table.log_ratios.ndim == 2 else np.median(table.log_ratios, axis=2)
    rows = np.linspace(0, len(values) - 1, min(len(values), _MAX_SITES)).round().astype(int)
    names = [" x ".join(f"{size:g}" for size in site) for site in table.sites[rows]]
    figure = graph.Figure(
        graph.Heatmap(
            z=100.0 * np.expm1(values[rows]),
            x=[f"{knot:g}" for knot in table.axes[0]],
            y=names,
            colorscale="RdBu_r",
            zmid=0.0,
            zmin=-_LARGEST_PERCENT,
            zmax=_LARGEST_PERCENT,
            colorbar={"title": "%"},
        )
    )
    axis = layout.axis_names[0]
    if table.alignment is not None and table.alignment[0].any():
        axis += ", aligned over sites"
    beside = "" if len(table.axes) == 1 else f"; median over {layout.axis_names[1]}"
    title = f"{key}: measured over formula, less 1{beside}"
    return _html(figure, title, axis, " x ".join(layout.site_names), is_logarithmic=False)


def _thinned(count: int, usable: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    rows = np.flatnonzero(usable)
    if len(rows) <= _MAX_POINTS:
        return rows
    return np.sort(generator().choice(rows, _MAX_POINTS, replace=False))


def _graph() -> ModuleType:
    return required_module("plotly.graph_objects")


def _html(figure: object, title: str, x_title: str, y_title: str, *, is_logarithmic: bool) -> str:
    kind = "log" if is_logarithmic else "category"
    figure.update_layout(  # type: ignore[attr-defined]
        title=title,
        height=_HEIGHT_PX,
        template="plotly_white",
        xaxis={"title": x_title, "type": kind},
        yaxis={"title": y_title, "type": kind},
    )
    text: str = figure.to_html(full_html=False, include_plotlyjs=False)  # type: ignore[attr-defined]
    return text
