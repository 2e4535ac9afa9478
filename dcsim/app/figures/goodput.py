"""Where the time of a training job went: from all of it, cause by cause, to what counts."""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go

from dcsim import quantity_text, scales_of
from dcsim.app.figures.frame import framed
from dcsim.app.palette import BLUE, GREEN, VERMILLION
from dcsim.app.words import Words

_HEIGHT_PX = 360
_MOST_PARTS = 7  # smaller ones are summed up as the rest
_ROOM = 0.35  # below the last bar, as a share of what was lost


def goodput_figure(waterfall: Mapping[str, object], words: Words) -> go.Figure | None:
    """A waterfall in percent of the time; None where no time passed.

    What is lost is mostly small beside what counts, so that the axis starts above 0 where it can.
    """
    wall_s, productive_s = (float(str(waterfall[key] or 0.0)) for key in ("wall_s", "productive_s"))
    if wall_s <= 0:
        return None
    parts = lost_parts(waterfall, words)
    shares = [100.0 * seconds / wall_s for seconds in parts.values()]
    good = 100.0 * productive_s / wall_s
    scales = scales_of("x_s")
    texts = [quantity_text(seconds, scales) for seconds in (wall_s, *parts.values(), productive_s)]
    figure = framed(y_title=words("figures.share_of_time"), height_px=_HEIGHT_PX)
    figure.add_waterfall(
        x=[words("goodput.wall"), *parts, words("goodput.productive")],
        y=[100.0, *(-share for share in shares), good],
        measure=["absolute", *("relative" for _ in shares), "total"],
        text=texts,
        textposition="outside",
        decreasing={"marker": {"color": VERMILLION}},
        increasing={"marker": {"color": BLUE}},
        totals={"marker": {"color": GREEN}},
        connector={"line": {"width": 0.5}},
    )
    low = max(0.0, good - _ROOM * (100.0 - good)) if good > 50.0 else 0.0
    figure.update_layout(showlegend=False)
    figure.update_yaxes(range=[low, 100.0 + 0.12 * (100.0 - low)], ticksuffix=" %")
    return figure


def lost_parts(waterfall: Mapping[str, object], words: Words) -> dict[str, float]:
    """The seconds that do not count, by cause, largest first; the smallest causes as one."""
    names, sizes = waterfall["part"], waterfall["part_s"]
    assert isinstance(names, list)
    assert isinstance(sizes, list)
    pairs = [
        (words.maybe(f"goodput.{name}", str(name)), size) for name, size in zip(names, sizes, strict=True)
    ]
    shown, rest = dict(pairs[:_MOST_PARTS]), sum(size for _, size in pairs[_MOST_PARTS:])
    return shown | ({words("causes.rest"): rest} if rest > 0 else {})
