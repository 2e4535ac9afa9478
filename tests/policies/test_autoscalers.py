"""Autoscalers: decisions from plain numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dcsim.plugins import policy_class, policy_names
from dcsim.policies.autoscaler import Autoscaler, FleetLoad
from dcsim.policies.autoscalers.by_load import ByLoad

PACKAGE = "dcsim.policies.autoscalers"
BAND = ByLoad.model_validate({"lend_below": "30 %", "take_back_above": "70 %", "full_at": 10, "least": 2})


@pytest.mark.parametrize(
    ("num_on", "mean_outstanding", "wanted"),
    [
        (6, 12.0, 3),  # 20 %: 12 requests are half a load of 10 each for 2.4 replicas
        (3, 24.0, 5),  # 80 %: 24 / 5
        (6, 18.0, 6),  # 30 %: on the edge of the band
        (6, 42.0, 6),  # 70 %
        (6, 0.0, 2),  # never fewer than the least
        (6, 600.0, 8),  # never more than there are
    ],
)
def test_outside_the_band_the_load_is_brought_to_its_middle(
    num_on: int, mean_outstanding: float, wanted: int
) -> None:
    assert BAND.num_wanted(FleetLoad(8, num_on, mean_outstanding, max_num_seqs=256)) == wanted


def test_a_full_replica_runs_as_many_requests_as_its_engine_may_unless_told_otherwise() -> None:
    band = ByLoad.model_validate({"lend_below": "30 %", "take_back_above": "70 %"})
    assert band.num_wanted(FleetLoad(8, 4, 100.0, max_num_seqs=100)) == 2


@given(
    st.sampled_from(policy_names(PACKAGE)),
    st.integers(1, 50),
    st.data(),
    st.floats(0.0, 1e6),
    st.integers(1, 1000),
)
def test_every_autoscaler_wants_at_least_its_least_and_at_most_all(
    name: str, num_replicas: int, data: st.DataObject, mean_outstanding: float, max_num_seqs: int
) -> None:
    autoscaler = policy_class(PACKAGE, name)()
    assert isinstance(autoscaler, Autoscaler)
    load = FleetLoad(num_replicas, data.draw(st.integers(1, num_replicas)), mean_outstanding, max_num_seqs)
    assert 1 <= autoscaler.num_least <= autoscaler.num_wanted(load) <= num_replicas


@given(st.integers(2, 50), st.floats(0.0, 1e4))
def test_what_it_wants_it_still_wants_when_it_has_it(num_on: int, mean_outstanding: float) -> None:
    wanted = BAND.num_wanted(FleetLoad(50, num_on, mean_outstanding, 1))
    again = BAND.num_wanted(FleetLoad(50, wanted, mean_outstanding, 1))
    assert again == wanted


def test_decisions_do_not_follow_without_a_pause() -> None:
    with pytest.raises(ValidationError, match="every"):
        ByLoad.model_validate({"every": "1 ms"})


def test_a_band_without_width_is_refused() -> None:
    with pytest.raises(ValidationError, match="lend_below must be less"):
        ByLoad.model_validate({"lend_below": "70 %", "take_back_above": "70 %"})
