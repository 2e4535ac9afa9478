"""A report to send: one self-contained page with the figures of one run, or of several compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from dcsim import (
    Comparison,
    Estimate,
    Result,
    SummaryView,
    __version__,
    limits_of,
    quantity_text,
    scales_of,
    verdict_of,
)
from dcsim.app.figures.comparison import trade_off_figure
from dcsim.app.figures.explain import waterfall_figure
from dcsim.app.figures.latency import distribution_figure
from dcsim.app.figures.timeline import PANELS, power_figure, timeline_figure
from dcsim.app.html_cluster import cluster_drawings
from dcsim.app.quantities import quantity_name
from dcsim.app.sentences import finding_text, reasons, row_label
from dcsim.app.series import has_part, power_series, workload_series
from dcsim.app.words import Words

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:1080px;margin:2em auto;padding:0 1em;color:#1b2530}"
    "table{border-collapse:collapse;margin:1em 0}td,th{padding:.3em .8em;border-bottom:1px solid #ccd;"
    "text-align:right;font-variant-numeric:tabular-nums}td:first-child,th:first-child{text-align:left}"
    "h2{margin-top:2em}.note{color:#556}.verdict{font-weight:600}pre{background:#f3f6f9;padding:1em;overflow:auto}"
)
_ROWS = (
    "ttft_s.p50",
    "ttft_s.p99",
    "tpot_s.p50",
    "tpot_s.p99",
    "e2e_s.p50",
    "e2e_s.p99",
    "slo_attainment_frac",
    "goodput_requests_per_s",
    "output_tokens_per_s",
)
_CLUSTER_ROWS = (
    "cost.total_usd",
    "cost.usd_per_million_output_tokens",
    "cost.usd_per_yr",
    "energy.it_j",
    "energy.facility_j",
    "energy.facility_j_per_output_token",
    "energy.it_j_per_output_token",
    "energy.mean_it_w",
    "carbon.kg_per_million_output_tokens",
)


def html_report(results: Sequence[Result], words: Words, comparison: Comparison | None = None) -> str:
    """The page; it needs nothing from the network.

    Of several results it holds one part each, under the comparison's own where there is one.
    """
    title = ", ".join(result.scenario.name for result in results)
    parts = [f"<h1>{escape(title)}</h1>"]
    if comparison is not None:
        parts += list(_comparison(comparison, results, words))
    for result in results:
        parts += list(_result(result, words))
    parts.append(f"<p class=note>dcsim {__version__}</p>")
    body = "\n".join(parts)
    return (
        f'<!doctype html><html lang="{words.language}"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style><script>{get_plotlyjs()}</script></head>"
        f"<body>{body}</body></html>\n"
    )


def _comparison(comparison: Comparison, results: Sequence[Result], words: Words) -> Iterator[str]:
    labels = [f"<b>{escape(label)}</b>" for label in comparison.labels]
    said = " ".join(finding_text(one, comparison, labels, words) for one in comparison.sentences())
    yield f"<p class=verdict>{said}</p>"
    why = "".join(f"<li>{one}</li>" for one in reasons(comparison, results, labels, words))
    yield f"<h2>{escape(words('compare.why'))}</h2><ul>{why.replace('**', '')}</ul>"
    head = "".join(f"<th>{escape(label)}</th>" for label in comparison.labels)
    yield f"<table><tr><th></th>{head}</tr>"
    for row in comparison.rows:
        cells = "".join(f"<td>{escape(_text(quantity_name(row.path), one))}</td>" for one in row.values)
        yield f"<tr><td>{escape(row_label(row.path, words))}</td>{cells}</tr>"
    yield "</table>"
    drawn = trade_off_figure(comparison, words)
    if drawn is not None:
        yield _html(drawn, words("compare.trade_off"))


def _result(result: Result, words: Words) -> Iterator[str]:
    yield f"<h2>{escape(result.scenario.name)}</h2><p>{escape(result.scenario.question)}</p>"
    for name in result.serving if has_part(result, "serving") else ():
        yield from _workload(result, name, words)
    for drawing in cluster_drawings(result, words):
        yield _table(drawing.numbers, words, drawing.counted_in)
        for title, drawn in drawing.figures.items():
            yield _html(drawn, title)
    yield _table({path: result.view.find(path) for path in _CLUSTER_ROWS}, words)
    yield _html(power_figure(power_series(result), words), words("panels.it_power"))
    yield from _sources(result, words)


def _workload(result: Result, name: str, words: Words) -> Iterator[str]:
    """What is served: verdict, numbers and figures of one model."""
    summary = result.serving[name]
    assert isinstance(summary, SummaryView)
    slo = result.scenario.serving[name].slo
    verdict = verdict_of(summary, slo)
    yield f"<p class=verdict>{escape(name)}: {escape(verdict.words)}</p><p>{escape(verdict.reason)}</p>"
    yield _table({f"serving.{name}.{path}": summary.find(path) for path in _ROWS}, words)
    series = workload_series(result)[name]
    for latency in ("ttft_s", "tpot_s", "e2e_s"):
        limit_s = limits_of(slo).get(latency)
        yield _html(distribution_figure(series, latency, limit_s, words), words(f"metrics.{latency}"))
    for group in ("mean", "p99_e2e"):
        found = summary.find(f"explain.{group}")
        drawn = waterfall_figure(found, words) if isinstance(found, SummaryView) else None
        if drawn is not None:
            yield _html(drawn, words(f"explain.{group}"))
    for panel in PANELS:
        yield _html(timeline_figure(series, panel, words), words(f"panels.{panel.key}"))


def _sources(result: Result, words: Words) -> Iterator[str]:
    provenance = result.summary.get("provenance")
    if not isinstance(provenance, dict):
        return
    yield f"<h3>{escape(words('provenance.title'))}</h3><table>"
    for one in provenance["entries"]:
        cells = (one["kind"], one["title"] or one["name"], one["source"])
        yield (
            "<tr>"
            + "".join(f"<td style='text-align:left'>{escape(str(cell))}</td>" for cell in cells)
            + "</tr>"
        )
    yield "</table>"


def _table(found: Mapping[str, object], words: Words, counted_in: object = "tokens") -> str:
    rows = (
        (row_label(path, words, counted_in), _text(quantity_name(path), one))
        for path, one in found.items()
        if isinstance(one, Estimate)
    )
    cells = (f"<tr><td>{escape(label)}</td><td>{escape(text)}</td></tr>" for label, text in rows)
    return f"<table>{''.join(cells)}</table>"


def _text(name: str, one: Estimate | None) -> str:
    if one is None:
        return "–"
    return quantity_text(one.value, scales_of(name), one.half_width, one.prediction)


def _html(drawn: go.Figure, title: str) -> str:
    drawn.update_layout(template="plotly_white", title={"text": title}, margin={"t": 70})
    text: str = drawn.to_html(full_html=False, include_plotlyjs=False)
    return text
