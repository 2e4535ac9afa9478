"""Figures of storage: exact integrals over the window, whatever it cuts."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.metrics.figures import Figures
from dcsim.metrics.storage import storage_figures
from dcsim.metrics.window import Window
from dcsim.units import SECONDS_PER_HOUR
from tests.sim.storage.stores import Bench, bench, limits


def figures(one: Bench, started_at_s: float, ended_at_s: float) -> Figures:
    one.store.finish()
    window = Window(started_at_s, ended_at_s)
    found = storage_figures([one.store.deployment], one.log.tables(), window)["disk"]
    assert isinstance(found, dict)
    return found


def busy_store() -> Bench:
    """Reads 100 B at 10 B/s from second 0 to 10, idle to 20, writes 50 B to 25, idle to 40."""
    one = bench(limits(10.0, capacity_bytes=1e3))
    one.store.read([0], 100.0, label="data set")
    one.at(20.0, lambda: one.store.write([0], 50.0, label="checkpoint"))
    one.environment.run(until=40.0)
    return one


def test_bytes_and_shares_of_the_whole_run() -> None:
    found = figures(busy_store(), 0.0, 40.0)
    assert found["read_bytes"] == pytest.approx(100.0)
    assert found["written_bytes"] == pytest.approx(50.0)
    assert found["mean_bandwidth_frac"] == pytest.approx(15 / 40)
    assert found["busy_frac"] == pytest.approx(15 / 40)
    assert found["peak_bandwidth_frac"] == pytest.approx(1.0)
    assert (found["num_reads"], found["mean_write_s"]) == (1, pytest.approx(5.0))


def test_an_unlimited_bandwidth_has_no_share_in_use() -> None:
    one = bench(limits(float("inf"), node_bytes_per_s=10.0))
    one.store.read([0], 100.0)
    one.environment.run(until=40.0)
    found = figures(one, 0.0, 40.0)
    assert (found["mean_bandwidth_frac"], found["peak_bandwidth_frac"]) == (None, None)
    assert found["read_bytes"] == pytest.approx(100.0)


def test_a_window_cuts_what_lies_across_its_edges() -> None:
    found = figures(busy_store(), 5.0, 22.0)
    assert found["read_bytes"] == pytest.approx(50.0)
    assert found["written_bytes"] == pytest.approx(20.0)
    assert found["num_writes"] == 0


def test_used_capacity_is_its_mean_over_time() -> None:
    one = bench(limits(10.0, capacity_bytes=1e3))
    one.at(10.0, lambda: one.store.reserve(400.0))
    one.environment.run(until=40.0)
    found = figures(one, 0.0, 40.0)
    assert found["used_bytes"] == pytest.approx(300.0)
    assert found["used_frac"] == pytest.approx(0.3)
    assert found["peak_used_bytes"] == 400.0
    assert figures(one, 0.0, 10.0)["peak_used_bytes"] == 0.0


def test_a_store_without_work_has_figures_too() -> None:
    one = bench(limits(10.0))
    one.environment.run(until=1.0)
    found = figures(one, 0.0, 1.0)
    assert (found["read_bytes"], found["busy_frac"], found["mean_read_s"]) == (0.0, 0.0, None)


@given(st.lists(st.floats(0.0, 100.0), min_size=1, max_size=4))
@settings(max_examples=40)
def test_parts_of_the_window_add_up_to_the_whole(cuts: list[float]) -> None:
    one = busy_store()
    edges = [0.0, *sorted(cuts), 100.0]
    parts = [figures(one, low, high) for low, high in pairwise(edges) if high > low]
    for name in ("read_bytes", "written_bytes"):
        whole = figures(one, 0.0, 100.0)[name]
        assert sum(float(part[name] or 0.0) for part in parts) == pytest.approx(whole)  # type: ignore[arg-type]


def test_rent_is_paid_for_what_is_held() -> None:
    one = bench(limits(10.0))
    one.store.reserve(1e12)
    one.environment.run(until=SECONDS_PER_HOUR)
    assert figures(one, 0.0, SECONDS_PER_HOUR)["rent_usd"] == 0.0
