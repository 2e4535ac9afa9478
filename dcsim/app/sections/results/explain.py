"""Why: where the time of the mean and of the slow requests went, and which requests were the worst."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from dcsim import Result, SummaryView, explained_parts
from dcsim.app.figures.explain import waterfall_figure
from dcsim.app.series import has_part, workload_series
from dcsim.app.show import empty, figure, percent_text, value_text
from dcsim.app.words import Words

ORDER, TITLE = 30, "explain.title"
_GROUPS = ("mean", "p99_ttft", "p99_e2e")
_MOST_ROWS = 20
_COLUMNS = (
    "replication",
    "request",
    "replica",
    "arrived_at_s",
    "num_prompt_tokens",
    "num_cached_tokens",
    "num_output_tokens",
    "queue_wait_s",
    "ttft_s",
    "tpot_s",
    "e2e_s",
    "num_preemptions",
)


def has_data(result: Result) -> bool:
    """Whether anything was served."""
    return has_part(result, "serving")


def show(result: Result, words: Words) -> None:
    """A waterfall for each group of requests; the worst ones in a table."""
    st.caption(words("explain.help"))
    for name in result.serving:
        if len(result.serving) > 1:
            st.subheader(name)
        explain = result.view.find(f"serving.{name}.explain")
        if not isinstance(explain, SummaryView):
            continue
        titles = [words(f"explain.{one}") for one in _GROUPS]
        tabs = st.tabs(titles, on_change="rerun", key=f"explain-{name}")  # only the open one is drawn
        for tab, group in zip(tabs, _GROUPS, strict=True):
            if tab.open:
                with tab:
                    _group(name, group, explain.get(group), words)
        _worst(workload_series(result)[name]["worst"], name, words)


def _group(name: str, group: str, found: object, words: Words) -> None:
    drawn = waterfall_figure(found, words) if isinstance(found, SummaryView) else None
    if drawn is None or not isinstance(found, SummaryView):
        empty(words("explain.nothing"))
        return
    parts = sorted(explained_parts(found).items(), key=lambda pair: -pair[1])
    total = found.number("total_s") or 1.0
    named = ", ".join(
        f"{words.maybe(f'causes.{key}', key)} {value_text('x_s', seconds)} ({percent_text(seconds / total)})"
        for key, seconds in parts[:3]
    )
    says = words("explain.mostly", total=value_text("x_s", total), parts=named)
    st.markdown(says)
    figure(drawn, f"explain-{name}-{group}", says)


def _worst(worst: Mapping[str, Mapping[str, list[object]]], name: str, words: Words) -> None:
    with st.expander(words("explain.worst")):
        ranked_by = st.segmented_control(
            words("explain.ranked_by"),
            list(worst),
            default=next(iter(worst)),
            required=True,
            format_func=lambda key: words(f"metrics.{key}"),
            key=f"worst-{name}",
        )
        columns = worst[ranked_by or next(iter(worst))]
        st.dataframe({words(f"worst.{key}"): columns[key][:_MOST_ROWS] for key in _COLUMNS}, hide_index=True)
