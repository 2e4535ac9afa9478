"""Reasons name the part in which the difference lies, or keep silent."""

from __future__ import annotations

import pytest

from dcsim.app.sentences import chief_difference


@pytest.mark.parametrize(
    ("ours", "theirs", "chief"),
    [
        ({"a": 1.0, "b": 1.0}, {"a": 1.1, "b": 3.0}, "b"),
        ({"a": 1.0}, {"a": 1.0, "b": 2.0}, "b"),  # a part that only one of them has
        ({"a": 5.0}, {"a": 1.0}, None),  # the winner is worse in every part: nothing explains it
        ({"a": 1.0}, {"a": 1.001}, None),  # too little to speak of
        ({}, {}, None),
    ],
)
def test_the_chief_difference_is_the_largest_excess(
    ours: dict[str, float], theirs: dict[str, float], chief: str | None
) -> None:
    assert chief_difference(ours, theirs) == chief
