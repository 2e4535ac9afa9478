from dataclasses import dataclass

import pytest

from dcsim.catalog.accelerator import Accelerator, AcceleratorKind
from dcsim.catalog.efficiency import Efficiency
from dcsim.catalog.link import LinkScope
from dcsim.catalog.loader import KINDS, entry_names, load_entry, provenance
from dcsim.catalog.model import Model
from dcsim.catalog.node import Node
from dcsim.catalog.prices import OnDemandPrices, OwnedPrices
from dcsim.catalog.site import Site
from dcsim.formulas.datatypes import Datatype
from dcsim.units import JOULES_PER_KWH, SECONDS_PER_HOUR

PLACEHOLDERS = {"", "-", "?", "n/a", "none", "tba", "tbd", "to do", "todo", "unknown"}
ENTRIES = [(kind, name) for kind in KINDS for name in entry_names(kind)]
DECODERS = [name for name in entry_names("models") if isinstance(load_entry("models", name), Model)]


@dataclass(frozen=True)
class Range:
    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


def accelerator(name: str) -> Accelerator:
    entry = load_entry("accelerators", name)
    assert isinstance(entry, Accelerator)
    return entry


def node(name: str) -> Node:
    entry = load_entry("nodes", name)
    assert isinstance(entry, Node)
    return entry


def model(name: str) -> Model:
    entry = load_entry("models", name)
    assert isinstance(entry, Model)
    return entry


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("accelerators", {"a100-sxm-80gb", "h100-sxm", "h200-sxm", "b200-sxm", "l40s", "xeon-8480c"}),
        ("nodes", {"dgx-a100", "dgx-h100", "dgx-h200", "dgx-b200", "hgx-h100", "l40s-4x", "xeon-8480c-host"}),
        ("models", {"llama-2-7b", "llama-2-70b", "llama-3.1-8b", "llama-3.1-70b", "llama-3.1-405b"}),
        (
            "models",
            {"codellama-34b", "qwen3-14b", "qwen3-32b", "mixtral-8x7b", "mixtral-8x22b", "deepseek-v3"},
        ),
        ("prices", {"owned-2026", "on-demand-2026"}),
        ("sites", {"us-iowa", "us-virginia", "germany"}),
    ],
)
def test_the_first_shelf_is_complete(kind: str, names: set[str]) -> None:
    assert names <= set(entry_names(kind))


@pytest.mark.parametrize(("kind", "name"), ENTRIES)
def test_every_entry_loads_under_its_own_name(kind: str, name: str) -> None:
    entry = load_entry(kind, name)
    assert isinstance(entry, KINDS[kind])
    assert entry.name == name
    assert entry.title


@pytest.mark.parametrize(("kind", "name"), ENTRIES)
def test_every_value_has_a_source_and_every_estimate_a_reason(kind: str, name: str) -> None:
    values = provenance(kind, name)
    assert values
    assert [value.path for value in values if value.source.strip().lower() in PLACEHOLDERS] == []
    assert [value.path for value in values if value.is_estimate and not value.why.strip()] == []


@pytest.mark.parametrize("name", entry_names("nodes"))
def test_the_parts_of_a_node_are_in_the_catalogue(name: str) -> None:
    entry = node(name)
    assert entry.accelerator in entry_names("accelerators")
    assert accelerator(entry.cpu).kind is AcceleratorKind.CPU
    assert {entry.scale_up, entry.scale_out, entry.host_link} <= set(entry_names("links"))


@pytest.mark.parametrize("name", entry_names("nodes"))
def test_nodes_are_joined_by_a_network_link(name: str) -> None:
    link = load_entry("links", node(name).scale_out)
    assert getattr(link, "scope", None) is LinkScope.SCALE_OUT


@pytest.mark.parametrize("name", entry_names("accelerators"))
def test_the_profile_of_an_accelerator_covers_the_models_that_it_can_run(name: str) -> None:
    entry = accelerator(name)
    profile = load_entry("efficiency", entry.efficiency)
    assert isinstance(profile, Efficiency)
    native = {model(each).native_datatype for each in DECODERS}
    own = entry.efficiency == name
    assert not own or (native & entry.peak_flops_per_s.keys()) <= profile.gemm.keys()


@pytest.mark.parametrize("name", entry_names("prices"))
def test_price_books_name_things_of_the_catalogue(name: str) -> None:
    book = load_entry("prices", name)
    if isinstance(book, OwnedPrices):
        assert book.node_capex_usd.keys() <= set(entry_names("nodes"))
    else:
        assert isinstance(book, OnDemandPrices)
        assert book.accelerator_usd_per_s.keys() <= set(entry_names("accelerators"))


@pytest.mark.parametrize("name", entry_names("accelerators"))
def test_power_rises_from_idle_to_busy_and_stays_within_tdp(name: str) -> None:
    entry = accelerator(name)
    power = entry.busy_power
    idle_frac = entry.idle_w / entry.tdp_w
    assert 0 < idle_frac < idle_frac + power.active_frac < power.cap_frac <= 1


@pytest.mark.parametrize("name", entry_names("accelerators"))
def test_narrower_datatypes_are_never_slower(name: str) -> None:
    peak = accelerator(name).peak_flops_per_s
    ladder = [Datatype.FP32, Datatype.TF32, Datatype.BF16, Datatype.FP8, Datatype.NVFP4]
    rates = [peak[datatype] for datatype in ladder if datatype in peak]
    assert rates == sorted(rates)
    assert peak.get(Datatype.FP16, rates[-1]) <= rates[-1]
    assert peak.get(Datatype.INT8, rates[-1]) >= peak.get(Datatype.BF16, 0)


@pytest.mark.parametrize("name", entry_names("accelerators"))
def test_peaks_are_dense_and_in_proportion_to_the_memory_bandwidth(name: str) -> None:
    entry = accelerator(name)
    widest = entry.peak_flops_per_s.get(Datatype.BF16, entry.peak_flops_per_s.get(Datatype.FP32, 0.0))
    assert entry.memory_bytes_per_s in Range(100e9, 10e12)
    # Sparse peaks, or bits taken for bytes, would leave this range.
    assert widest / entry.memory_bytes_per_s in Range(10, 600)  # TPU v6e: 560
    assert entry.memory_bytes in Range(16e9, 2e12)


@pytest.mark.parametrize("name", entry_names("nodes"))
def test_a_node_at_full_power_stays_within_its_rating(name: str) -> None:
    entry, part = node(name), accelerator(node(name).accelerator)
    busy_w = part.busy_power.cap_frac * part.tdp_w
    rise_w = (1 + entry.overhead_frac) * (busy_w - part.idle_w)
    wall_w = entry.host_idle_w + entry.num_accelerators * (part.idle_w + rise_w)
    assert wall_w / entry.rated_w in Range(0.6, 1)


@pytest.mark.parametrize("name", entry_names("nodes"))
def test_a_node_weighs_more_carbon_than_its_accelerators(name: str) -> None:
    entry = node(name)
    assert entry.embodied_kg > entry.num_accelerators * accelerator(entry.accelerator).embodied_kg


@pytest.mark.parametrize("name", DECODERS)
def test_query_heads_divide_evenly_among_key_value_heads(name: str) -> None:
    assert model(name).num_heads % model(name).num_kv_heads == 0


@pytest.mark.parametrize("name", DECODERS)
def test_a_token_visits_some_of_the_experts_and_dense_layers_are_some_of_the_layers(name: str) -> None:
    experts = model(name).experts
    if experts is not None:
        assert experts.num_experts_per_token < experts.num_experts
        assert experts.num_dense_layers < model(name).num_layers


@pytest.mark.parametrize("name", entry_names("sites"))
def test_a_site_lies_within_what_grids_and_fleets_publish(name: str) -> None:
    site = load_entry("sites", name)
    assert isinstance(site, Site)
    assert site.carbon_kg_per_j * JOULES_PER_KWH in Range(0.001, 1.0)
    assert site.electricity_usd_per_j * JOULES_PER_KWH in Range(0.02, 0.5)
    assert site.pue in Range(1.0, 2.0)


@pytest.mark.parametrize("name", entry_names("prices"))
def test_an_hour_of_an_accelerator_costs_between_a_half_and_twenty_dollars(name: str) -> None:
    book = load_entry("prices", name)
    if isinstance(book, OnDemandPrices):
        hourly = [price * SECONDS_PER_HOUR for price in book.accelerator_usd_per_s.values()]
        assert all(price in Range(0.5, 20) for price in hourly)
    else:
        assert isinstance(book, OwnedPrices)
        assert all(price in Range(5e3, 1e6) for price in book.node_capex_usd.values())
