"""How far to trust it: what the numbers rest on, which of that are estimates, and what is not known."""

from __future__ import annotations

import streamlit as st

from dcsim import Result
from dcsim.app.show import escaped
from dcsim.app.words import Words

ORDER, TITLE = 50, "provenance.title"


def has_data(result: Result) -> bool:
    """Always."""
    return True


def show(result: Result, words: Words) -> None:
    """Counts, the entries with their sources, the estimates with why, and the notes."""
    provenance = result.summary.get("provenance")
    if not isinstance(provenance, dict):
        st.caption(words("provenance.none"))
        return
    entries, estimates = provenance["entries"], provenance["estimates"]
    num_values = sum(one["num_values"] for one in entries)
    st.markdown(words("provenance.says", values=num_values, entries=len(entries), estimates=len(estimates)))
    for note in (*provenance["notes"], *_prediction_notes(result)):
        st.warning(escaped(str(note)), icon=":material/info:")
    st.dataframe(
        {
            words("provenance.kind"): [one["kind"] for one in entries],
            words("provenance.entry"): [one["title"] or one["name"] for one in entries],
            words("provenance.basis"): [words(f"basis.{_basis(one)}") for one in entries],
            words("provenance.estimated"): [
                f"{one['num_estimates']} / {one['num_values']}" for one in entries
            ],
            words("provenance.source"): [one["source"] for one in entries],
        },
        hide_index=True,
    )
    if estimates:
        with st.expander(words("provenance.all_estimates", count=len(estimates))):
            st.dataframe(
                {
                    words("provenance.entry"): [one["entry"] for one in estimates],
                    words("provenance.path"): [one["path"] for one in estimates],
                    words("provenance.value"): [str(one["value"]) for one in estimates],
                    words("provenance.why"): [one["why"] for one in estimates],
                },
                hide_index=True,
            )


def _basis(entry: dict[str, object]) -> str:
    """What an entry rests on: measurements, publications, or guesses."""
    if entry["num_values"] and entry["num_estimates"] == entry["num_values"]:
        return "estimated"
    if entry["kind"] in ("efficiency", "engines"):
        return "measured"
    return "published"


def _prediction_notes(result: Result) -> list[object]:
    prediction = result.summary.get("prediction")
    notes = prediction.get("notes") if isinstance(prediction, dict) else None
    return notes if isinstance(notes, list) else []
