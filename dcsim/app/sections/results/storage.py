"""Stores: what was read and written, how fast, and how full they got."""

from __future__ import annotations

import streamlit as st

from dcsim import Result, SummaryView
from dcsim.app.figures.over_time import lines_figure
from dcsim.app.series import Series, has_part, part_series
from dcsim.app.show import escaped, figure, tile, value_text
from dcsim.app.words import Words

ORDER, TITLE = 19, "storage.title"
_TILES = ("written_bytes", "read_bytes", "busy_frac", "peak_bandwidth_frac", "used_frac")
_GIGABYTE, _TERABYTE = 1e-9, 1e-12


def has_data(result: Result) -> bool:
    """Whether the cluster has stores."""
    return has_part(result, "storage")


def show(result: Result, words: Words) -> None:
    """For each store its tiles, its load over time and its operations."""
    stores, series = result.view.get("storage"), part_series(result, "storage")
    assert isinstance(stores, SummaryView)
    for name in stores:
        store = stores[name]
        st.subheader(escaped(name))
        if isinstance(store, SummaryView):
            for cell, key in zip(st.columns(len(_TILES)), _TILES, strict=True):
                with cell:
                    tile(words(f"storage.{key}"), key, store.number(key))
        if name in series:
            _over_time(name, series[name], words)
            _operations(series[name]["operations"], words)


def _over_time(name: str, series: Series, words: Words) -> None:
    left, right = st.columns(2)
    timeline = series["timeline"]
    with left:
        rates = {words(f"storage.{key}"): timeline[key] for key in ("read_bytes_per_s", "write_bytes_per_s")}
        st.markdown(f"**{words('storage.load')}**")
        drawn = lines_figure(timeline, rates, "GB/s", words, _GIGABYTE)
        figure(drawn, f"store-load-{name}", words("storage.load"))
    with right:
        used = {words("storage.used_bytes"): timeline["used_bytes"]}
        st.markdown(f"**{words('storage.used_bytes')}**")
        drawn = lines_figure(timeline, used, "TB", words, _TERABYTE)
        figure(drawn, f"store-used-{name}", words("storage.used_bytes"))


def _operations(operations: Series, words: Words) -> None:
    if not operations["label"]:
        return
    st.table(
        {
            words("network.label"): operations["label"],
            words("storage.operation"): [words(f"storage.{one}") for one in operations["operation"]],
            words("network.num_transfers"): [f"{count:,}" for count in operations["num_transfers"]],
            words("network.num_bytes"): [value_text("x_bytes", one) for one in operations["num_bytes"]],
            words("network.mean_s"): [value_text("x_s", one) for one in operations["mean_s"]],
            words("storage.max_s"): [value_text("x_s", one) for one in operations["max_s"]],
        },
        hide_index=True,
    )
