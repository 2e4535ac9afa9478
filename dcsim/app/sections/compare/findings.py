"""What the comparison says, in sentences: who wins when."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dcsim import Comparison, Result
from dcsim.app.sentences import finding_text
from dcsim.app.show import escaped
from dcsim.app.words import Words

ORDER = 0


def show(comparison: Comparison, results: Sequence[Result], words: Words) -> None:
    """The findings as one paragraph, and what differs between the scenarios."""
    labels = [f"**{escaped(label)}**" for label in comparison.labels]
    said = " ".join(finding_text(one, comparison, labels, words) for one in comparison.sentences())
    st.success(said, icon=":material/emoji_events:")
    with st.expander(words("compare.differs")):
        for label, differences in zip(comparison.labels, comparison.differences_in_scenario, strict=True):
            shown = [
                f"`{one.path}`: {escaped(str(one.baseline_value))} → **{escaped(str(one.value))}**"
                for one in differences
                if one.path not in ("name", "question")
            ]
            st.markdown(f"**{escaped(label)}**: {', '.join(shown) or words('compare.same')}")
