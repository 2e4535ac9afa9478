"""Gantt charts: training jobs, scheduled jobs, who held the nodes, and which nodes were away."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from dcsim import quantity_text, scales_of
from dcsim.app.figures.frame import framed
from dcsim.app.figures.over_time import time_axis
from dcsim.app.palette import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION
from dcsim.app.words import Words

Series = Mapping[str, Any]
_FRAME_PX, _ROW_PX, _THIN_PX, _MOST_PX = 110, 44, 5, 900
_FAINTEST = 0.3  # of bars in which nothing counts
_MOST_NODES = 40
_LOOKS = {  # of a kind of bar: colour, and a pattern for those who see no colours
    "productive": (BLUE, ""),
    "lost": (VERMILLION, "x"),
    "recovery": (ORANGE, "/"),
    "preparation": (SKY, "\\"),
    "wait": (PURPLE, "\\"),
    "queue": (GREY, "."),
    "finished": (BLUE, ""),
    "running": (GREEN, "/"),
    "waiting": (GREY, "."),
    "abandoned": (VERMILLION, "x"),
    "infeasible": (VERMILLION, "x"),
    "stop": (VERMILLION, ""),
    "slow": (ORANGE, "/"),
    "planned": (SKY, "\\"),
    "by_training": (BLUE, ""),
    "by_job": (GREEN, ""),
    "by_serving": (ORANGE, ""),
    "spare": (GREY, "."),
    "down": (VERMILLION, "x"),
}
_GROUPS = {  # others: recovery
    "productive": "productive",
    "lost": "lost",
    "wait": "wait",
    "queue": "queue",
    "staging": "preparation",
    "reshuffle": "preparation",
}
_HOLDERS = {"training": "by_training", "job": "by_job", "serving": "by_serving"}  # others: as they are
_OUTLINE = {"width": 0.5, "color": "rgba(128,128,128,0.7)"}  # between bars of one kind
_EFFECTS = {"stop": "stop", "slow": "slow", "slow_found": "slow"}  # others: planned


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its row, its kind, when, and what it says."""

    row: str
    kind: str
    started_at_s: float
    duration_s: float
    about: str
    opacity: float = 1.0


def training_gantt(spans: Series, end_s: float, words: Words) -> go.Figure:
    """A row for each training job; bars that stand for many spans are the paler, the less of them counts."""
    bars = []
    for job, kind, start, length, share, count, cause in _rows(
        spans, "job", "kind", "started_at_s", "duration_s", "productive_frac", "num_spans", "cause"
    ):
        group = _GROUPS.get(kind, "recovery")
        about = [words(f"spans.{kind}"), *([cause] if cause else [])]
        if count > 1:
            about.append(words("gantt.merged", count=count, share=f"{share:.1%}"))
        is_mixed = group == "productive" and count > 1
        opacity = _FAINTEST + (1 - _FAINTEST) * share**4 if is_mixed else 1.0
        bars.append(Bar(str(job), group, start, length, ", ".join(about), opacity))
    return _drawn(bars, _ROW_PX, words, end_s)


def jobs_gantt(sample: Series, end_s: float, words: Words) -> go.Figure:
    """A thin row for each scheduled job of the sample: how long it waited, and from start to end."""
    bars = []
    for job, queue, status, submitted, started, finished, accelerators in _rows(
        sample,
        "job",
        "queue",
        "status",
        "submitted_at_s",
        "started_at_s",
        "finished_at_s",
        "num_accelerators",
    ):
        size = words("gantt.accelerators", count=f"{accelerators:g}")
        about = f"{words('gantt.job', number=job)}{f' ({queue})' if queue else ''}, {size}"
        ready = end_s if started is None else started
        if ready > submitted:
            bars.append(Bar(str(job), "waiting", submitted, ready - submitted, about))
        if started is not None:
            last = end_s if finished is None else finished
            bars.append(Bar(str(job), status, started, max(last - started, 0.0), about))
    figure = _drawn(bars, _THIN_PX, words, end_s)
    figure.update_yaxes(showticklabels=False, title={"text": words("gantt.jobs_axis")})
    return figure


def holders_gantt(nodes: Series, end_s: float, words: Words) -> go.Figure:
    """A row for each node, with bars for those who held it: the paler, the fewer of its accelerators."""
    bars = []
    most = max(nodes["num_accelerators"], default=1.0)
    for node, kind, holder, start, length, accelerators, count in _rows(
        nodes, "node", "kind", "holder", "started_at_s", "duration_s", "num_accelerators", "num_holders"
    ):
        size = words("gantt.accelerators", count=f"{accelerators:.3g}")
        about = [words("gantt.job", number=holder) if kind == "job" else holder, size]
        if count > 1:
            about.append(words("gantt.more_holders", count=count - 1))
        opacity = _FAINTEST + (1 - _FAINTEST) * accelerators / most
        label, group = words("gantt.node", number=node), _HOLDERS.get(kind, kind)
        bars.append(Bar(label, group, start, length, ", ".join(filter(None, about)), opacity))
    figure = _drawn(bars, 4 * _THIN_PX, words, end_s)
    figure.update_traces(marker_line=_OUTLINE)
    return figure


def nodes_gantt(log: Series, end_s: float, words: Words) -> go.Figure | None:
    """Nodes that failed, were slow or were taken out, and for how long; None where there was none."""
    bars: dict[int, list[Bar]] = defaultdict(list)
    for node, effect, cause, start, back in _rows(
        log, "node", "effect", "cause", "failed_at_s", "repaired_at_s"
    ):
        if node < 0 or effect == "false_alarm":
            continue
        kind, last = _EFFECTS.get(effect, "planned"), end_s if back is None else min(back, end_s)
        about = f"{words(f'effects.{effect}')}, {cause}"
        label = words("gantt.node", number=node)
        bars[node].append(Bar(label, kind, start, max(last - start, 0.0), about))
    if not bars:
        return None
    shown = sorted(sorted(bars, key=lambda node: -sum(one.duration_s for one in bars[node]))[:_MOST_NODES])
    figure = _drawn([one for node in shown for one in bars[node]], 4 * _THIN_PX, words, end_s)
    return figure


def num_nodes_hidden(log: Series) -> int:
    """Nodes of the log that the figure leaves out."""
    return max(len({node for node in log["node"] if node >= 0}) - _MOST_NODES, 0)


def _drawn(bars: list[Bar], row_px: int, words: Words, last_s: float = 0.0) -> go.Figure:
    """The bars, one trace for each kind, rows from above; up to an instant, or to the end of the last."""
    rows = list(dict.fromkeys(one.row for one in bars))
    end_s = max((one.started_at_s + one.duration_s for one in bars), default=0.0)
    unit_s, x_title = time_axis(last_s or end_s, words)
    height_px = min(_FRAME_PX + row_px * max(len(rows), 1), _MOST_PX)
    figure = framed(x_title=x_title, height_px=max(height_px, 170))
    for kind in dict.fromkeys(key for key in _LOOKS if any(one.kind == key for one in bars)):
        own = [one for one in bars if one.kind == kind]
        colour, pattern = _LOOKS[kind]
        figure.add_bar(
            y=[one.row for one in own],
            x=[one.duration_s / unit_s for one in own],
            base=[one.started_at_s / unit_s for one in own],
            orientation="h",
            name=words(f"gantt.{kind}"),
            customdata=[(one.about, quantity_text(one.duration_s, scales_of("x_s"))) for one in own],
            marker={
                "color": colour,
                "opacity": [one.opacity for one in own],
                "pattern": {"shape": pattern, "size": 5, "fillmode": "overlay"},
                "line": {"width": 0},
            },
            hovertemplate="%{y}: %{customdata[0]}<br>%{customdata[1]}<extra></extra>",
        )
    figure.update_xaxes(range=[0, (last_s or end_s) / unit_s])
    figure.update_layout(barmode="overlay", bargap=0.15, showlegend=True, legend={"traceorder": "normal"})
    figure.update_yaxes(type="category", autorange="reversed", categoryorder="array", categoryarray=rows)
    return figure


def _rows(columns: Series, *names: str) -> zip[tuple[Any, ...]]:
    return zip(*(columns[name] for name in names), strict=True)
