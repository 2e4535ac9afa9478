"""A profile's points: against the roofline, and predicted against measured."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from dcsim import ComparedOperator
from dcsim.app.figures.frame import framed
from dcsim.app.palette import BLUE, GREY, ORANGE, VERMILLION
from dcsim.app.words import Words

_MAX_POINTS = 2_000
_HEIGHT_PX = 400
_ROUNDING = 4.0  # the exponent that joins the two ceilings, as in the profile's formula


def roofline_figure(one: ComparedOperator, words: Words) -> go.Figure:
    """Share of the peak rate over arithmetic intensity; the roof has its ridge at 1."""
    compute_s, memory_s = one.work.compute_s.sum(axis=0), one.work.memory_s.sum(axis=0)
    shown = _thinned(compute_s > 0)
    intensity = compute_s / memory_s
    share = np.maximum(compute_s, memory_s) / one.points.seconds * np.minimum(1.0, intensity)
    line = np.geomspace(max(float(intensity[shown].min()), 1e-4), float(intensity[shown].max()), 200)
    ceilings = one.ceilings
    slow = (1.0 / ceilings.compute_frac) ** _ROUNDING + (1.0 / (line * ceilings.memory_frac)) ** _ROUNDING
    figure = framed(
        x_title=words("calibration.intensity"), y_title=words("calibration.share"), height_px=_HEIGHT_PX
    )
    _points(figure, intensity[shown], share[shown], words("calibration.measured"), BLUE)
    _line(figure, line, np.minimum(1.0, line), words("calibration.peaks"), GREY, "dot")
    _line(figure, line, slow ** (-1.0 / _ROUNDING), words("calibration.fitted"), ORANGE, "solid")
    figure.update_xaxes(type="log")
    figure.update_yaxes(type="log")
    return figure


def parity_figure(one: ComparedOperator, words: Words) -> go.Figure:
    """Predicted over measured time; on the line they are equal."""
    shown = _thinned(one.points.seconds > 0)
    measured = one.points.seconds[shown] * 1e6
    figure = framed(
        x_title=words("calibration.measured_us"),
        y_title=words("calibration.predicted_us"),
        height_px=_HEIGHT_PX,
    )
    _points(figure, measured, one.formula_s[shown] * 1e6, words("calibration.formula"), ORANGE)
    if one.is_sampled:
        _points(figure, measured, one.predicted_s[shown] * 1e6, words("calibration.profile"), BLUE)
    ends = np.array([measured.min(), measured.max()])
    _line(figure, ends, ends, words("calibration.equal"), VERMILLION, "dot")
    figure.update_xaxes(type="log")
    figure.update_yaxes(type="log")
    return figure


def _points(
    figure: go.Figure, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], name: str, colour: str
) -> None:
    figure.add_scattergl(
        x=x.round(6),
        y=y.round(6),
        mode="markers",
        name=name,
        marker={"size": 5, "opacity": 0.45, "color": colour},
    )


def _line(
    figure: go.Figure,
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    name: str,
    colour: str,
    dash: str,
) -> None:
    figure.add_scatter(x=x, y=y, mode="lines", name=name, line={"color": colour, "dash": dash, "width": 2})


def _thinned(usable: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """Places of at most so many usable points, evenly picked."""
    places = np.flatnonzero(usable)
    step = max(1, -(-len(places) // _MAX_POINTS))
    return places[::step]
