"""Stores of the catalogue: the published ones as published, all of them within what such things can do."""

import pytest

from dcsim.catalog.loader import entry_names, load_entry, provenance
from dcsim.catalog.store import Store, StoreScope
from dcsim.units import SECONDS_PER_YEAR

NAMES = entry_names("storage")
MONTH_S, TB = SECONDS_PER_YEAR / 12, 1e12


def store(name: str) -> Store:
    entry = load_entry("storage", name)
    assert isinstance(entry, Store)
    return entry


def test_every_kind_of_store_is_there() -> None:
    scopes = {store(name).scope for name in NAMES}
    assert scopes == set(StoreScope)
    wanted = {"nvme-gen4-7.68tb", "lustre-flash", "weka-8", "vast-qlc", "gpfs-jean-zay", "s3-standard"}
    assert wanted | {"gcs-standard", "hdd-20tb", "host-memory"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_values_are_possible(name: str) -> None:
    entry = store(name)
    for rate in (entry.read_bytes_per_s, entry.write_bytes_per_s, entry.node_read_bytes_per_s):
        assert rate is None or 1e8 <= rate <= 1e13
    assert 1e-8 <= entry.latency_s <= 1.0
    assert entry.capacity_bytes is None or 1e12 <= entry.capacity_bytes <= 1e18
    assert 0.0 <= entry.usd_per_byte_s * TB * MONTH_S <= 1000.0
    assert 0.0 <= entry.capex_usd_per_byte * TB <= 10_000.0


@pytest.mark.parametrize("name", NAMES)
def test_every_value_says_where_it_comes_from_and_every_estimate_why(name: str) -> None:
    for value in provenance("storage", name):
        assert value.source
        assert value.why or not value.is_estimate


def test_prices_and_rates_of_object_storage_are_those_of_the_price_list() -> None:
    entry = store("s3-standard")
    assert entry.usd_per_byte_s * TB * MONTH_S == pytest.approx(23.0)
    assert (entry.read_operations_per_s, entry.write_operations_per_s) == (5500.0, 3500.0)


def test_the_store_of_llama_3_is_as_published() -> None:
    entry = store("tectonic-llama3")
    assert (entry.read_bytes_per_s, entry.capacity_bytes) == (2e12, 2.4e17)
