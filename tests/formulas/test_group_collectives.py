"""Collectives of groups that span scale-up domains, against what must hold of any of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.formulas.deployment import Wire
from dcsim.formulas.group_collectives import Collective, GroupNetwork, collective_time

NETWORK = GroupNetwork(
    scale_up=Wire(bytes_per_s=450e9, achievable_frac=0.8, base_s=5e-6, hop_s=1e-6),
    scale_out=Wire(bytes_per_s=50e9, achievable_frac=0.9, base_s=8e-6, hop_s=4e-6),
    domain_size=8,
)
KINDS = st.sampled_from(list(Collective))
RANKS = st.sampled_from([2, 4, 8, 16, 64, 1024])
BYTES = st.floats(1.0, 1e12)


@given(KINDS, BYTES)
def test_one_rank_has_nobody_to_talk_to(kind: Collective, num_bytes: float) -> None:
    assert collective_time(kind, NETWORK, 1, 1, num_bytes) == 0.0


@given(KINDS, RANKS)
def test_nothing_to_move_takes_no_time(kind: Collective, num_ranks: int) -> None:
    assert collective_time(kind, NETWORK, num_ranks, min(8, num_ranks), 0.0) == 0.0


@given(KINDS, RANKS, BYTES, st.floats(1.0, 100.0))
def test_more_bytes_take_no_less_time(
    kind: Collective, num_ranks: int, num_bytes: float, more: float
) -> None:
    inner = min(8, num_ranks)
    less_s = collective_time(kind, NETWORK, num_ranks, inner, num_bytes)
    assert collective_time(kind, NETWORK, num_ranks, inner, num_bytes * more) >= less_s


@given(KINDS, RANKS)
def test_arrays_give_what_their_numbers_give(kind: Collective, num_ranks: int) -> None:
    sizes = np.array([[0.0, 1e3], [1e6, 1e9]])
    times = collective_time(kind, NETWORK, num_ranks, min(8, num_ranks), sizes)
    assert isinstance(times, np.ndarray)
    expected = [collective_time(kind, NETWORK, num_ranks, min(8, num_ranks), float(s)) for s in sizes.flat]
    assert times.ravel() == pytest.approx(expected, rel=1e-15)
