"""The report on a profile as one self-contained html page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path

from dcsim.calibration.report.figures import parity_figures, plotly_script, residual_figures, roofline_figures
from dcsim.calibration.report.profile import AccuracyRow, ProfileReport, profile_report

_STYLE = (
    "body{font:15px/1.45 system-ui,sans-serif;max-width:1080px;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;margin:1em 0}td,th{padding:.25em .7em;border-bottom:1px solid #ddd;"
    "text-align:right;font-variant-numeric:tabular-nums}td:first-child,td:last-child,th:first-child,"
    "th:last-child{text-align:left}h2{margin-top:2em}.note{color:#666}"
)
_NOTE = (
    "<p class=note>A time is launch + (t_c^4 + t_m^4)^(1/4), t_c and t_m at these shares of the peaks, times "
    "the residual where points were measured nearby. Errors are of points that the fit did not see; sd is "
    "the standard deviation of what one model's set of shapes is off by as a whole.</p>"
)
_TITLES = ("operator", "launch", "compute", "memory", "median error", "90th pct.", "points", "sd", "held out")


def write_report(profile: Path | str, output: Path, samples_path: Path | None = None) -> None:
    """Write the report on a profile, by path or by its name in the catalogue."""
    output.write_text(html_report(profile_report(profile, samples_path)), encoding="utf-8")


def html_report(report: ProfileReport) -> str:
    """Accuracy, rooflines, predicted against measured, and residuals of a profile, in one page."""
    profile, accelerator = report.profile, report.accelerator
    parts = [
        f"<h1>{escape(profile.title)}</h1><p>{escape(profile.source)}</p>",
        "<h2>Accuracy</h2>",
        _table([_TITLES, *(_cells(row) for row in report.accuracy)]),
        _NOTE,
    ]
    if accelerator is not None:
        parts += ["<h2>Rooflines</h2>", *roofline_figures(report.operators, accelerator)]
        parts += ["<h2>Predicted against measured</h2>", *parity_figures(report.operators)]
    parts += ["<h2>Residuals</h2>", *(residual_figures(profile) or ["<p>None: the formula alone.</p>"])]
    body = "\n".join(parts)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(profile.title)}</title>'
        f"<style>{_STYLE}</style><script>{plotly_script()}</script></head><body>{body}</body></html>\n"
    )


def _cells(row: AccuracyRow) -> Sequence[str]:
    shares = ("", "", "")
    if row.fitted is not None:
        fitted = row.fitted
        shares = (
            f"{fitted.launch_s * 1e6:.3g} us",
            f"{fitted.compute_frac:.3g}",
            f"{fitted.memory_frac:.3g}",
        )
    if row.median_frac is None or row.p90_frac is None:
        missing = "not measured: an estimate, or the figures of another datatype"
        return (row.key, *shares, "", "", "", "", missing)
    errors = (f"{row.median_frac * 100:.1f} %", f"{row.p90_frac * 100:.1f} %")
    sd = "" if row.log_sd is None else f"{math.expm1(row.log_sd) * 100:.1f} %"
    return (row.key, *shares, *errors, f"{row.num_points:,}", sd, row.split)


def _table(rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in rows[0])
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows[1:])
    return f"<table><tr>{head}</tr>{body}</table>"
