"""A link carries a scenario and nothing else, however it was tampered with."""

from __future__ import annotations

import base64
import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim import ScenarioError
from dcsim.app.share import MAX_LINK, packed, unpacked


@given(st.text(max_size=2_000))
def test_a_text_survives_the_link(text: str) -> None:
    code = packed(text)
    assert code is not None
    assert unpacked(code) == text


@given(st.text(max_size=300))
def test_any_other_code_is_refused_in_one_sentence(code: str) -> None:
    with pytest.raises(ScenarioError, match="damaged"):
        unpacked(f"{code}!")  # which no code holds


def test_what_blows_up_is_refused() -> None:
    bomb = base64.urlsafe_b64encode(zlib.compress(b"a" * 5_000_000, 9)).decode()
    assert len(bomb) < MAX_LINK
    with pytest.raises(ScenarioError, match="damaged"):
        unpacked(bomb)


def test_a_code_cut_short_is_refused() -> None:
    code = packed("name: chat\n" * 20)
    assert code is not None
    with pytest.raises(ScenarioError, match="damaged"):
        unpacked(code[:-6])


def test_what_is_too_long_for_an_address_has_no_link() -> None:
    noise = random.Random(1)
    assert packed("".join(chr(noise.randrange(33, 120)) for _ in range(20_000))) is None
