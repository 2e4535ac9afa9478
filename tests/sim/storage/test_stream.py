"""Streams: what they get beside transfers, and what they leave them."""

import pytest

from dcsim.metrics.columns import floats
from tests.sim.storage.stores import Bench, bench, limits


def shares(one: Bench, bytes_per_s: float, **more: float) -> list[tuple[float, float]]:
    """When the share of a stream of two nodes changed, and to what."""
    told: list[tuple[float, float]] = []
    one.store.stream([0, 1], bytes_per_s, on_change=lambda f: told.append((one.environment.now, f)), **more)
    return told


def test_a_stream_alone_gets_all_it_wants_and_no_more() -> None:
    one = bench(limits(100.0))
    told = shares(one, 40.0)
    one.environment.run(until=10.0)
    one.store.finish()
    load = one.log.tables()["storage_load"]
    assert told == []
    assert floats(load, "read_bytes_per_s") == pytest.approx([40.0])
    assert floats(load, "bandwidth_frac") == pytest.approx([0.4])


def test_a_stream_that_wants_more_than_the_store_has_gets_what_there_is() -> None:
    one = bench(limits(100.0))
    told = shares(one, 250.0)
    one.environment.run(until=1.0)
    assert told == [(0.0, pytest.approx(0.4))]


def test_a_checkpoint_slows_a_stream_down_while_it_lasts_and_takes_the_rest() -> None:
    """Weights 2 and 6: the stream gets a quarter of 100 B/s, the checkpoint 75 B/s until second 12."""
    one = bench(limits(100.0))
    told = shares(one, 50.0)
    one.at(4.0, lambda: one.store.write(range(6), 600.0))
    one.environment.run(until=20.0)
    assert told == [(4.0, pytest.approx(0.5)), (pytest.approx(12.0), pytest.approx(1.0))]


def test_a_modest_stream_is_not_slowed_and_the_checkpoint_gets_what_it_leaves() -> None:
    one = bench(limits(100.0))
    told = shares(one, 10.0)
    assert one.finished_at_s(one.store.write([2, 3], 900.0)) == pytest.approx([10.0])
    assert told == []


def test_small_files_and_few_requests_slow_a_stream_as_the_formula_says() -> None:
    one = bench(limits(1e9, latency_s=0.01, requests_in_flight=10))
    told = shares(one, 1e6, bytes_per_file=100.0)  # 10,000 files/s; 2 x 10 / 10 ms = 2,000 are possible
    one.environment.run(until=1.0)
    assert told == [(0.0, pytest.approx(0.2))]


def test_a_stream_that_its_requests_slow_moves_no_more_bytes_than_they_carry() -> None:
    one = bench(limits(1e9, latency_s=0.01, requests_in_flight=10))
    told = shares(one, 1e6, bytes_per_file=100.0)  # 2,000 files/s are possible
    one.environment.run(until=10.0)
    one.store.finish()
    assert floats(one.log.tables()["storage_load"], "read_bytes_per_s") == pytest.approx([0.2e6])
    assert told == [(0.0, pytest.approx(0.2))]


def test_a_cache_carries_its_part_of_a_stream() -> None:
    one = bench(limits(10.0), cache=limits(100.0, capacity_bytes=1e3))
    told = shares(one, 40.0, hit_frac=0.75)
    one.environment.run(until=1.0)
    assert told == []


def test_a_stream_of_local_stores_is_as_slow_as_the_busiest_node() -> None:
    one = bench(limits(100.0, is_local=True))
    told = shares(one, 200.0)
    one.at(1.0, lambda: one.store.write([1, 5], 1000.0))
    one.environment.run(until=30.0)
    assert [share for _, share in told] == pytest.approx([0.5, 1.0])


def test_a_released_stream_leaves_nothing_behind() -> None:
    one = bench(limits(100.0))
    stream = one.store.stream([0], 100.0)
    one.at(1.0, stream.release)
    one.at(2.0, stream.release)
    one.at(3.0, lambda: one.store.write([0], 100.0))
    one.environment.run()
    assert one.environment.now == pytest.approx(4.0)
    assert stream.share_frac == 1.0
