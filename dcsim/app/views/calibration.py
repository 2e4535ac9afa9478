"""Calibration: how well the profiles predict, shown; upload one's own."""

from __future__ import annotations

import math

import numpy as np
import streamlit as st
from pydantic import ValidationError

import dcsim
from dcsim import ComparedOperator, ProfileReport, ScenarioError
from dcsim.app import session
from dcsim.app.figures.calibration import parity_figure, roofline_figure
from dcsim.app.show import MISSING, empty, escaped, figure, percent_text, value_text
from dcsim.app.uploads import Upload, save
from dcsim.app.words import Words

KEY, ORDER, ICON = "calibration", 5, ":material/straighten:"
_NUM_WORST = 12


def show() -> None:
    """The page."""
    words = session.words()
    st.title(words("calibration.title"))
    st.markdown(words("calibration.about"))
    report = _chosen(words)
    if report is None:
        return
    st.header(escaped(report.profile.title), divider="gray")
    st.caption(words("form.source", source=escaped(report.profile.source)))
    _accuracy(report, words)
    if not report.operators:
        empty(words("calibration.no_points"))
        return
    _operators(report, words)


def _chosen(words: Words) -> ProfileReport | None:
    pick, upload = st.columns([3, 2], vertical_alignment="bottom")
    own = [path for path in session.files() if path.suffix in (".yaml", ".yml")]
    names = [*dcsim.entry_names("efficiency"), *(path.name for path in own)]
    default = names.index("h100-sxm") if "h100-sxm" in names else 0
    with pick:
        name = st.selectbox(words("calibration.profile_name"), names, default, key="profile")
    with upload, st.popover(words("calibration.upload"), icon=":material/upload:", width="stretch"):
        _upload(words)
    mine = {path.name: path for path in own}
    try:
        return dcsim.profile_report(mine[name]) if name in mine else _shipped(name)
    except (ScenarioError, ValidationError) as error:
        st.error(escaped(str(error).split("\n")[0]))
        return None


@st.cache_resource(max_entries=16, show_spinner=False)
def _shipped(name: str) -> ProfileReport:
    return dcsim.profile_report(name)


def _upload(words: Words) -> None:
    st.markdown(words("calibration.upload_about"))
    found = st.file_uploader(
        words("calibration.upload_files"),
        ["yaml", "yml", "npz"],
        accept_multiple_files=True,
        max_upload_size=8,
        key="profile-files",
    )
    for one in found:
        try:
            path = save(Upload(one.name, one.getvalue()), session.files_folder())
        except ScenarioError as error:
            st.error(escaped(str(error)))
        else:
            st.success(words("scenario.uploaded", name=path.name))
    if found and st.button(words("calibration.show")):
        st.rerun()


def _accuracy(report: ProfileReport, words: Words) -> None:
    st.subheader(words("calibration.accuracy"), help=words("calibration.accuracy_help"))
    rows = report.accuracy
    titles = ("operator", "launch", "compute", "memory", "median", "p90", "points", "spread", "held_out")
    cells = [
        (
            row.key,
            value_text("x_s", row.fitted.launch_s) if row.fitted else MISSING,
            percent_text(row.fitted.compute_frac if row.fitted else None),
            percent_text(row.fitted.memory_frac if row.fitted else None),
            percent_text(row.median_frac),
            percent_text(row.p90_frac),
            f"{row.num_points:,}" if row.num_points is not None else MISSING,
            percent_text(math.expm1(row.log_sd)) if row.log_sd is not None else MISSING,
            row.split or words("calibration.not_measured"),
        )
        for row in rows
    ]
    st.dataframe(
        {words(f"calibration.{title}"): [row[at] for row in cells] for at, title in enumerate(titles)},
        hide_index=True,
    )


def _operators(report: ProfileReport, words: Words) -> None:
    by_key = {one.points.key: one for one in report.operators}
    chosen = st.selectbox(words("calibration.operator"), list(by_key), key=f"operator-{report.profile.name}")
    one = by_key[chosen]
    left, right = st.columns(2)
    with left:
        st.subheader(words("calibration.roofline"), help=words("calibration.roofline_help"))
        figure(roofline_figure(one, words), "roofline", words("calibration.roofline_help"))
    with right:
        st.subheader(words("calibration.parity"), help=words("calibration.parity_help"))
        figure(parity_figure(one, words), "parity", words("calibration.parity_help"))
    _worst(one, words)


def _worst(one: ComparedOperator, words: Words) -> None:
    """The points that the prediction misses most."""
    predicted = one.predicted_s if one.is_sampled else one.formula_s
    error = predicted / one.points.seconds - 1.0
    order = np.argsort(-np.abs(error))[:_NUM_WORST]
    st.subheader(words("calibration.worst"))
    st.caption(words("calibration.worst_profile" if one.is_sampled else "calibration.worst_formula"))
    st.dataframe(
        {
            words("calibration.site"): [
                " × ".join(f"{size:g}" for size in one.points.sites[at]) for at in order
            ],
            words("calibration.position"): [
                " × ".join(f"{size:g}" for size in one.points.axes[at]) for at in order
            ],
            words("calibration.measured"): [value_text("x_s", float(one.points.seconds[at])) for at in order],
            words("calibration.predicted"): [value_text("x_s", float(predicted[at])) for at in order],
            words("calibration.error"): [percent_text(float(error[at]), is_signed=True) for at in order],
        },
        hide_index=True,
    )
