"""Communication beside computation: bounds that hold whatever the numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dcsim.formulas.training.overlap import overlapped

TIMES = st.floats(0.0, 10.0)
SHARES = st.floats(0.0, 1.0)


@given(communication_s=TIMES, window_s=TIMES, frac=SHARES, compute=SHARES, network=SHARES)
def test_overlap_lies_between_the_longer_and_the_sum(
    communication_s: float, window_s: float, frac: float, compute: float, network: float
) -> None:
    found = overlapped(
        communication_s, window_s, frac, compute_slowdown_frac=compute, network_slowdown_frac=network
    )
    total_s = window_s + found.exposed_s + found.slowdown_s
    assert 0.0 <= found.exposed_s <= communication_s
    assert total_s >= max(window_s, communication_s) - 1e-9 or frac == 1.0
    assert total_s <= window_s + communication_s * (1.0 + compute * (1.0 + network)) + 1e-9


@given(communication_s=st.floats(0.1, 10.0), window_s=st.floats(0.1, 10.0), frac=st.floats(0.1, 1.0))
def test_hiding_is_never_free(communication_s: float, window_s: float, frac: float) -> None:
    assert overlapped(communication_s, window_s, frac, compute_slowdown_frac=0.15).slowdown_s > 0.0


def test_without_overlap_all_is_exposed() -> None:
    assert overlapped(2.0, 5.0, 0.0, compute_slowdown_frac=0.15) == (2.0, 0.0)
