"""Latencies of one workload: how they are distributed, and where the limits of the SLO stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from dcsim.app.figures.frame import framed, step_edges, with_limit
from dcsim.app.palette import SERIES, faded
from dcsim.app.words import Words

Series = Mapping[str, object]
LATENCIES = ("ttft_s", "tpot_s", "itl_s", "e2e_s", "queue_wait_s")
_MILLISECONDS = 1e3
_LAST_SHOWN = 0.999  # the last thousandth would squeeze the rest


def distribution_figure(series: Series, latency: str, limit_s: float | None, words: Words) -> go.Figure:
    """A histogram over a logarithmic axis of time; nothing of it where no request got that far."""
    one = _mapping(_mapping(series["latency"])[latency])
    histogram = _mapping(one.get("histogram"))
    edges, counts = _numbers(histogram.get("edges")), _numbers(histogram.get("counts"))
    figure = framed(
        x_title=words("figures.latency_ms", name=words(f"metrics.{latency}")),
        y_title=words("figures.requests"),
    )
    if edges:
        x, y = step_edges([edge * _MILLISECONDS for edge in edges], counts)
        colour = SERIES[LATENCIES.index(latency)]
        figure.add_scatter(
            x=x,
            y=y,
            mode="lines",
            line={"color": colour},
            fill="tozeroy",
            fillcolor=faded(colour, 0.25),
            name=words(f"metrics.{latency}"),
            showlegend=False,
        )
        figure.update_xaxes(type="log", dtick="D2")
    if limit_s is not None and edges:
        with_limit(figure, limit_s * _MILLISECONDS, words("figures.slo"))
    return figure


def quantile_figure(
    all_series: Mapping[str, Series],
    probabilities: Sequence[float],
    latency: str,
    limit_s: float | None,
    words: Words,
) -> go.Figure:
    """Share of requests within a time, one curve for each run."""
    figure = framed(
        x_title=words("figures.latency_ms", name=words(f"metrics.{latency}")),
        y_title=words("figures.share_within"),
    )
    for number, (label, series) in enumerate(all_series.items()):
        quantiles = _list(_mapping(_mapping(series["latency"]).get(latency)).get("quantiles"))
        pairs = [
            (value * _MILLISECONDS, probability)
            for probability, value in zip(probabilities, quantiles, strict=False)
            if isinstance(value, int | float) and value > 0 and probability <= _LAST_SHOWN
        ]
        figure.add_scatter(
            x=[x for x, _ in pairs],
            y=[y for _, y in pairs],
            mode="lines",
            name=label,
            line={"color": SERIES[number % len(SERIES)]},
        )
    figure.update_yaxes(tickformat=".0%", range=[0, 1.02])
    figure.update_xaxes(type="log", dtick="D2")
    if limit_s is not None:
        with_limit(figure, limit_s * _MILLISECONDS, words("figures.slo"))
    return figure


def lengths_figure(series: Series, words: Words) -> go.Figure:
    """How long prompts and outputs are."""
    figure = framed(x_title=words("figures.tokens"), y_title=words("figures.requests"))
    for number, name in enumerate(("num_prompt_tokens", "num_output_tokens")):
        histogram = _mapping(_mapping(series["lengths"]).get(name))
        edges = _numbers(histogram.get("edges"))
        if edges:
            x, y = step_edges(edges, _numbers(histogram.get("counts")))
            figure.add_scatter(
                x=x,
                y=y,
                mode="lines",
                name=words(f"figures.{name}"),
                line={"color": SERIES[number]},
                fill="tozeroy",
                fillcolor=faded(SERIES[number], 0.2),
            )
    figure.update_xaxes(type="log", dtick="D2")
    return figure


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else []


def _numbers(value: object) -> list[float]:
    return [float(one) for one in _list(value) if isinstance(one, int | float)]
