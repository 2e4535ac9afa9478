"""The figure of replicas tells those for prefill from those that decode."""

from __future__ import annotations

import pytest

from dcsim.app.figures.replicas import replicas_figure
from dcsim.app.words import Words

REPLICAS = {"replica": [0, 1, 2], "utilization_frac": [0.5, None, 0.25], "num_finished": [10, 0, 12]}


@pytest.mark.parametrize(("language", "prefill"), [("en", "prefill"), ("zh", "预填充")])
def test_roles_are_named_and_coloured(language: str, prefill: str) -> None:
    roles = {**REPLICAS, "role": ["decode", "decode", "prefill"]}
    bars = replicas_figure(roles, Words(language)).data[0]
    assert bars.text[2] == prefill
    assert bars.marker.color[0] == bars.marker.color[1] != bars.marker.color[2]


@pytest.mark.parametrize("more", [{}, {"role": ["both"] * 3}])
def test_replicas_that_are_alike_have_no_role(more: dict[str, object]) -> None:
    bars = replicas_figure({**REPLICAS, **more}, Words("en")).data[0]
    assert set(bars.text) == {""}
    assert len(set(bars.marker.color)) == 1
