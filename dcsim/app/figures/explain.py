"""Where the time of a request went: a waterfall whose steps add up to the whole."""

from __future__ import annotations

import plotly.graph_objects as go

from dcsim import SummaryView, explained_parts, quantity_text, scales_of
from dcsim.app.figures.frame import framed
from dcsim.app.palette import BLUE, ORANGE
from dcsim.app.words import Words

_LEAST_FRAC = 0.004  # smaller parts are summed up as the rest
_HEIGHT_PX = 340


def waterfall_figure(group: SummaryView, words: Words) -> go.Figure | None:
    """The parts of the mean request of a group, one step each; None where no request finished."""
    total_s = group.number("total_s") or 0.0
    if total_s <= 0:
        return None
    parts = {key: seconds for key, seconds in explained_parts(group).items() if seconds}
    large = {key: seconds for key, seconds in parts.items() if abs(seconds) >= _LEAST_FRAC * total_s}
    rest = sum(parts.values()) - sum(large.values())
    labels = [words.maybe(f"causes.{key}", key) for key in large] + [words("causes.rest")] * bool(rest)
    values = [*large.values(), *([rest] if rest else [])]
    scales = scales_of("total_s")
    figure = framed(y_title=words("figures.milliseconds"), height_px=_HEIGHT_PX)
    figure.add_waterfall(
        x=[label.replace(": ", ":<br>") for label in (*labels, words("causes.whole"))],
        y=[*(value * 1e3 for value in values), total_s * 1e3],
        measure=[*("relative" for _ in values), "total"],
        text=[quantity_text(value, scales) for value in (*values, total_s)],
        textposition="outside",
        increasing={"marker": {"color": BLUE}},
        totals={"marker": {"color": ORANGE}},
        connector={"line": {"width": 0.5}},
    )
    figure.update_layout(showlegend=False)
    figure.update_yaxes(range=[0, total_s * 1e3 * 1.14])
    return figure
