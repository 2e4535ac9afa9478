"""Stores of a scenario: names, units taken together, and what is refused."""

import math

import pytest
from pydantic import ValidationError

from dcsim.catalog.loader import entry_names
from dcsim.errors import ScenarioError
from dcsim.spec.loader import load
from dcsim.spec.storage import CacheWrites, StoreDeployment, StoreSpec, resolve_store
from tests.spec.scenarios import changed


def deployed(value: object) -> StoreDeployment:
    return resolve_store(StoreSpec.model_validate(value), "scratch")


def test_a_name_alone_is_one_unit_of_that_store() -> None:
    store = deployed("lustre-flash")
    assert store.limits.reading.bytes_per_s == 80e9
    assert store.limits.capacity_bytes == 2e15
    assert not store.limits.is_local


def test_units_add_up_but_what_one_node_can_do_does_not() -> None:
    store = deployed({"base": "lustre-flash", "num_servers": 10})
    assert store.limits.writing.bytes_per_s == pytest.approx(600e9)
    assert store.limits.reading.operations_per_s == pytest.approx(2e7)
    assert store.limits.reading.node_bytes_per_s == 40e9
    assert store.power_w == pytest.approx(40e3)


def test_fields_of_the_entry_can_be_varied() -> None:
    store = deployed({"base": {"base": "lustre-flash", "read_bandwidth": "1 TB/s"}, "capacity": "5 PB"})
    assert store.limits.reading.bytes_per_s == 1e12
    assert store.limits.capacity_bytes == 5e15


def test_drives_of_a_node_are_local_and_their_power_is_the_nodes() -> None:
    store = deployed({"base": "nvme-gen4-7.68tb", "num_servers": 8})
    assert store.limits.is_local
    assert store.limits.capacity_bytes == pytest.approx(8 * 7.68e12)
    assert store.power_w == 0.0


def test_an_object_store_has_no_common_bandwidth_and_no_end() -> None:
    store = deployed({"base": "s3-standard", "num_servers": 16})
    assert math.isinf(store.limits.reading.bytes_per_s)
    assert math.isinf(store.limits.capacity_bytes)
    assert store.limits.reading.operations_per_s == 16 * 5500


def test_a_cache_has_limits_of_its_own() -> None:
    cache = {"base": "nvme-gen5-15.36tb", "num_servers": 4, "writes": "back"}
    store = deployed({"base": "hdd-20tb", "num_servers": 500, "cache": cache})
    assert store.cache.is_local
    assert store.cache_writes is CacheWrites.BACK
    assert store.cache.reading.bytes_per_s == pytest.approx(56e9)


@pytest.mark.parametrize("name", entry_names("storage"))
def test_every_store_of_the_catalogue_can_be_used(name: str) -> None:
    limits = deployed(name).limits
    for access in (limits.reading, limits.writing):
        assert 0.0 < min(access.bytes_per_s, access.node_bytes_per_s) < math.inf


@pytest.mark.parametrize(
    "value",
    [
        "lustre-flahs",
        {"base": "lustre-flash", "num_servers": 0},
        {"base": "lustre-flash", "capacity": "0 TB"},
        {"base": "lustre-flash", "capacity": 5},
        {"base": {"base": "lustre-flash", "read_bandwidth": "0 GB/s"}},
        {"base": {"base": "s3-standard", "node_read_bandwidth": None}},
        {"base": "lustre-flash", "cache": {"base": "nvme-gen4-7.68tb", "writes": "sometimes"}},
        {"base": "lustre-flash", "backup": {"store": "cold", "every": "0 s"}},
    ],
)
def test_stores_that_cannot_be_are_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        StoreSpec.model_validate(value)


def test_a_store_without_any_bandwidth_says_what_to_set() -> None:
    value = {"base": {"base": "s3-standard", "node_write_bandwidth": None}}
    with pytest.raises(ValidationError, match="set write_bandwidth or node_write_bandwidth"):
        StoreSpec.model_validate(value)


@pytest.mark.parametrize(
    ("stores", "text"),
    [
        ("{hot: {base: lustre-flash, backup: {store: cold, every: 1 d}}}", "no store of that name"),
        ("{hot: {base: lustre-flash, backup: {store: hot, every: 1 d}}}", "cannot back itself up"),
        (
            "{hot: {base: ebs-gp3, backup: {store: cold, every: 1 d}}, cold: s3-standard}",
            "local stores take no part in backups",
        ),
        ("{a/b: lustre-flash}", "the name of a store is not usable"),
    ],
)
def test_stores_that_contradict_each_other_are_refused_with_their_place(stores: str, text: str) -> None:
    scenario = changed(("  num_nodes: 1\n", f"  num_nodes: 1\n  storage: {stores}\n"))
    with pytest.raises(ScenarioError, match=text) as caught:
        load(scenario)
    assert [problem.path.startswith("cluster.storage") for problem in caught.value.problems] == [True]


def test_stores_that_go_together_load() -> None:
    stores = "{hot: {base: lustre-flash, backup: {store: cold, every: 1 d}}, cold: s3-standard}"
    scenario = load(changed(("  num_nodes: 1\n", f"  num_nodes: 1\n  storage: {stores}\n")))
    assert set(scenario.cluster.storage) == {"hot", "cold"}
