"""What the comparison says, in sentences: who wins when."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dcsim import Comparison, Finding, Result
from dcsim.app.show import escaped, percent_text
from dcsim.app.words import Words

ORDER = 0


def show(comparison: Comparison, results: Sequence[Result], words: Words) -> None:
    """The findings as one paragraph, and what differs between the scenarios."""
    st.success(
        " ".join(finding_text(one, comparison, words) for one in comparison.sentences()),
        icon=":material/emoji_events:",
    )
    with st.expander(words("compare.differs")):
        for label, differences in zip(comparison.labels, comparison.differences_in_scenario, strict=True):
            shown = [
                f"`{one.path}`: {escaped(str(one.baseline_value))} → **{escaped(str(one.value))}**"
                for one in differences
                if one.path not in ("name", "question")
            ]
            st.markdown(f"**{escaped(label)}**: {', '.join(shown) or words('compare.same')}")


def finding_text(one: Finding, comparison: Comparison, words: Words) -> str:
    """One finding as a sentence."""
    labels = [f"**{escaped(label)}**" for label in comparison.labels]
    named = words("compare.and").join(labels[at] for at in one.results)
    objective = _objective(one.objective, words)
    winner = labels[one.winner] if one.winner is not None else ""
    over = labels[one.over] if one.over is not None else ""
    by = "" if one.relative_frac is None else percent_text(abs(one.relative_frac))
    how = words(f"significance.{one.significance.value}") if one.significance is not None else ""
    key = f"findings.{one.kind.value}"
    return words(key, winner=winner, over=over, objective=objective, by=by, how=how, results=named)


def _objective(name: str | None, words: Words) -> str:
    if name is None:
        return ""
    kind, _, workload = name.partition(".")
    return words(f"objectives.{kind}") + (f" ({escaped(workload)})" if workload else "")
