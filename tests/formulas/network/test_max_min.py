"""Max-min shares against a naive twin in fractions, and against the definition."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.formulas.network.max_min import Incidence, max_min_rates

Flows = list[tuple[dict[int, int], int | None]]  # weights by link, and the cap


def incidence_of(flows: Flows) -> Incidence:
    entries = [(f, link, weight) for f, (links, _) in enumerate(flows) for link, weight in links.items()]
    table = np.array(entries, dtype=np.float64).reshape(-1, 3)
    caps = [np.inf if cap is None else float(cap) for _, cap in flows]
    return Incidence(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2], np.array(caps))


def naive_rates(capacities: list[int], flows: Flows) -> list[Fraction]:
    """Progressive filling as in the book: all rates rise until something is full, again and again."""
    rates: dict[int, Fraction] = {}
    while len(rates) < len(flows):
        limits: dict[str | int, Fraction] = {}
        for link, capacity in enumerate(capacities):
            used = sum(
                (rates[f] * links.get(link, 0) for f, (links, _) in enumerate(flows) if f in rates),
                Fraction(),
            )
            wanted = sum(links.get(link, 0) for f, (links, _) in enumerate(flows) if f not in rates)
            if wanted:
                limits[link] = (capacity - used) / wanted
        caps = [Fraction(cap) for f, (_, cap) in enumerate(flows) if f not in rates and cap is not None]
        level = min([*limits.values(), *caps])
        full = {link for link, limit in limits.items() if limit == level}
        rates |= {
            f: level
            for f, (links, cap) in enumerate(flows)
            if f not in rates and (cap == level or full & set(links))
        }
    return [rates[f] for f in range(len(flows))]


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[int], Flows]:
    num_links = draw(st.integers(1, 6))
    capacities = draw(st.lists(st.integers(1, 40), min_size=num_links, max_size=num_links))
    weights = st.dictionaries(st.integers(0, num_links - 1), st.integers(1, 3), min_size=1)
    flows = draw(st.lists(st.tuples(weights, st.none() | st.integers(1, 20)), min_size=1, max_size=9))
    return capacities, flows


@given(cases())
def test_rates_are_those_of_naive_progressive_filling(case: tuple[list[int], Flows]) -> None:
    capacities, flows = case
    expected = [float(rate) for rate in naive_rates(capacities, flows)]
    assert max_min_rates(np.array(capacities, dtype=float), incidence_of(flows)) == pytest.approx(
        expected, rel=1e-12
    )


def test_every_flow_is_held_up_by_a_full_link_on_which_none_is_faster() -> None:
    rng = np.random.default_rng(1)
    flows: Flows = [({int(link): 1 for link in rng.choice(60, 4, replace=False)}, None) for _ in range(400)]
    incidence, capacities = incidence_of(flows), rng.uniform(1, 10, 60)
    rates = max_min_rates(capacities, incidence)
    loads = incidence.loads(rates, 60)
    fastest = np.zeros(60)
    np.maximum.at(fastest, incidence.links, rates[incidence.flows])
    is_full = loads >= capacities * (1 - 1e-9)
    holds_up = is_full[incidence.links] & (rates[incidence.flows] >= fastest[incidence.links] * (1 - 1e-9))
    assert (loads <= capacities * (1 + 1e-9)).all()
    assert set(incidence.flows[holds_up]) == set(range(400))


def test_two_flows_on_a_link_of_ten_one_of_which_crosses_a_link_of_two() -> None:
    rates = max_min_rates(np.array([10.0, 2.0]), incidence_of([({0: 1}, None), ({0: 1, 1: 1}, None)]))
    assert rates.tolist() == [8.0, 2.0]


def test_a_bundle_takes_as_much_of_a_link_as_its_members() -> None:
    rates = max_min_rates(np.array([10.0]), incidence_of([({0: 4}, None), ({0: 1}, None)]))
    assert rates.tolist() == [2.0, 2.0]


def test_what_a_capped_flow_leaves_goes_to_the_others() -> None:
    rates = max_min_rates(np.array([10.0]), incidence_of([({0: 1}, 1), ({0: 1}, None), ({0: 1}, None)]))
    assert rates.tolist() == [1.0, 4.5, 4.5]


def test_a_link_without_capacity_stops_its_flows_only() -> None:
    rates = max_min_rates(np.array([0.0, 6.0]), incidence_of([({0: 1, 1: 1}, None), ({1: 1}, None)]))
    assert rates.tolist() == [0.0, 6.0]
