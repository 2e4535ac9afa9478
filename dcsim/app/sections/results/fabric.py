"""The network: how busy its links were, on its picture and over time, and what crossed it."""

from __future__ import annotations

import streamlit as st

from dcsim import Result, SummaryView
from dcsim.app.figures.counts import shares_figure
from dcsim.app.figures.over_time import lines_figure
from dcsim.app.figures.topology import topology_figure
from dcsim.app.series import Series, has_part, part_series
from dcsim.app.show import figure, value_text
from dcsim.app.words import Words

ORDER, TITLE = 18, "network.title"
_USES = ("mean_utilization_frac", "peak_utilization_frac")
_OF_A_LAYER = ("mean_utilization_frac", "max_utilization_frac", "peak_utilization_frac")


def has_data(result: Result) -> bool:
    """Whether the scenario has a fabric."""
    return has_part(result, "fabric")


def show(result: Result, words: Words) -> None:
    """The picture where it is small enough, the layers, over time, transfers and outages."""
    summary, series = result.view.get("fabric"), part_series(result, "fabric")
    assert isinstance(summary, SummaryView)
    says = words(
        "network.says",
        carried=value_text("x_bytes", summary.number("carried_bytes")),
        busiest=value_text("x_frac", summary.number("max_utilization_frac")),
        peak=value_text("x_frac", summary.number("peak_utilization_frac")),
        stalled=value_text("x_s", summary.number("stalled_s")),
    )
    st.markdown(says)
    if not series:
        return
    _picture(series["links"], says, words)
    left, right = st.columns(2)
    with left:
        _layers(series["layers"], words)
    with right:
        _over_time(series["timeline"], words)
    _transfers(series["transfers"], words)
    _outages(series["outages"], words)


def _picture(links: Series, says: str, words: Words) -> None:
    if links["num_left_out"]:
        st.caption(words("network.too_large", count=f"{links['num_left_out']:,}"))
        return
    st.markdown(f"**{words('network.picture')}**", help=words("network.picture_help"))
    use = st.segmented_control(
        words("network.use"),
        _USES,
        default=_USES[0],
        required=True,
        format_func=lambda key: words(f"network.{key}"),
        label_visibility="collapsed",
        key="link-use",
    )
    drawn = topology_figure(links, use or _USES[0], words)
    if drawn is not None:
        figure(drawn, f"topology-{use}", says)


def _layers(layers: Series, words: Words) -> None:
    st.markdown(f"**{words('network.layers')}**", help=words("network.layers_help"))
    used = [at for at, num_bytes in enumerate(layers["num_bytes"]) if num_bytes]
    rows = {
        f"{_arrow(layers['layer'][at])} ({layers['num_links'][at]:,})": {
            words(f"network.{key}"): layers[key][at] for key in _OF_A_LAYER
        }
        for at in used
    }
    alt = "; ".join(
        f"{name}: " + ", ".join(f"{key} {value_text('x_frac', one)}" for key, one in shares.items())
        for name, shares in rows.items()
    )
    figure(shares_figure(rows, words("network.of_capacity")), "layers", alt)


def _over_time(timeline: Series, words: Words) -> None:
    st.markdown(f"**{words('network.over_time')}**")
    layers = timeline["layers"]
    lines = {
        _arrow(layer): shares
        for layer, shares in zip(layers["layer"], layers["utilization_frac"], strict=True)
        if any(shares)
    }
    drawn = lines_figure(timeline, lines, words("network.of_capacity"), words, 100.0)
    figure(drawn, "layers-time", words("network.over_time"))


def _arrow(layer: str) -> str:
    """
    >>> _arrow("leaf -> spine")
    'leaf → spine'
    """
    return layer.replace("->", "→")


def _transfers(transfers: Series, words: Words) -> None:
    if not transfers["label"]:
        return
    st.markdown(f"**{words('network.transfers')}**")
    st.table(
        {
            words("network.label"): transfers["label"],
            words("network.num_transfers"): [f"{count:,}" for count in transfers["num_transfers"]],
            words("network.num_bytes"): [value_text("x_bytes", one) for one in transfers["num_bytes"]],
            words("network.mean_s"): [value_text("x_s", one) for one in transfers["mean_s"]],
            words("network.stalled_s"): [value_text("x_s", one) for one in transfers["stalled_s"]],
        },
        hide_index=True,
    )


def _outages(outages: Series, words: Words) -> None:
    if not outages["what"]:
        return
    with st.expander(words("network.outages")):
        st.dataframe(
            {
                words("network.what"): outages["what"],
                words("failures.at"): [value_text("x_s", one) for one in outages["started_at_s"]],
                words("failures.away"): [value_text("x_s", one) for one in outages["duration_s"]],
                words("network.num_cables"): outages["num_cables"],
            },
            hide_index=True,
        )
        if outages["num_left_out"]:
            st.caption(words("failures.left_out", count=f"{outages['num_left_out']:,}"))
