"""Cold starts: as the formula says alone, slower together, faster the second time where a cache helps."""

import pytest

from dcsim.formulas.storage import Access, transfer_s, weight_load_s
from dcsim.sim.storage.weight_loading import WeightLoad, load_weights
from tests.sim.storage.stores import bench, limits

LLAMA_70B = WeightLoad("llama-70b", 140e9, host_bytes_per_s=8 * 55e9, num_files=30)


def test_a_cold_start_alone_takes_what_the_formula_says() -> None:
    store = limits(50e9, node_bytes_per_s=10e9, latency_s=1e-3)
    one = bench(store)
    one.environment.run(until=load_weights(one.environment, one.store, [3], LLAMA_70B))
    read_s = transfer_s(store.reading, Access(140e9, 30))
    assert one.environment.now == pytest.approx(weight_load_s(read_s, 140e9, 8 * 55e9))


def test_ten_cold_starts_at_once_share_the_store() -> None:
    one = bench(limits(50e9, node_bytes_per_s=10e9))
    starts = [load_weights(one.environment, one.store, [node], LLAMA_70B) for node in range(10)]
    ends = one.finished_at_s(*starts)
    assert ends == pytest.approx([140e9 * 10 / 50e9 + 140 / 440] * 10)


def test_the_second_replica_finds_the_weights_in_the_cache() -> None:
    one = bench(limits(1e9), cache=limits(100e9, capacity_bytes=1e12))
    one.environment.run(until=load_weights(one.environment, one.store, [0], LLAMA_70B))
    started_at_s = one.environment.now
    one.environment.run(until=load_weights(one.environment, one.store, [1], LLAMA_70B))
    assert started_at_s > 140.0
    assert one.environment.now - started_at_s == pytest.approx(1.4 + 140 / 440)
