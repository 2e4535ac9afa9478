from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from dcsim.catalog import loader
from dcsim.catalog.loader import (
    KINDS,
    SourcedValue,
    entry_mapping,
    entry_names,
    load_entry,
    merged,
    provenance,
    read_entry_file,
)
from dcsim.errors import ScenarioError

SITE = """
title: Test site
source: its operator
carbon_intensity: 370 g/kWh
electricity_price: {value: 0.08 USD/kWh, source: the utility, estimate: true, why: a test}
pue: 1.2
"""


@pytest.fixture
def site_folder(tmp_path, monkeypatch):
    """A folder of sites, as an installed package would add it."""
    point = EntryPoint("extra", "tests.catalog.test_loader:extra_folder", "dcsim.catalog.sites")
    monkeypatch.setattr(loader, "installed", lambda group: (point,) if group == "dcsim.catalog.sites" else ())
    monkeypatch.setattr(f"{__name__}.extra_folder", tmp_path)
    clear()
    yield tmp_path
    clear()


extra_folder = Path()


def clear():
    for cached in (loader._files, loader._located, loader._load_known, entry_names):
        cached.cache_clear()


def test_every_entry_of_the_catalogue_loads_under_its_own_name():
    for kind in KINDS:
        for name in entry_names(kind):
            assert load_entry(kind, name).name == name


@pytest.mark.parametrize("name", ["h100", "../nodes/dgx-h100", "/etc/passwd", "", "h100-sxm.yaml", "nul\0"])
def test_what_is_no_name_is_refused_with_the_nearest(name):
    with pytest.raises(ScenarioError, match="no entry of that name"):
        load_entry("accelerators", name)


def test_an_unknown_name_offers_the_nearest():
    with pytest.raises(ScenarioError, match="Did you mean 'h100-sxm'"):
        load_entry("accelerators", "h100-smx")


def test_a_sourced_value_is_read_as_its_value(site_folder):
    (site_folder / "test-site.yaml").write_text(SITE)

    assert load_entry("sites", "test-site").electricity_usd_per_j == pytest.approx(0.08 / 3.6e6)


def test_every_value_knows_its_source(site_folder):
    (site_folder / "test-site.yaml").write_text(SITE)

    assert provenance("sites", "test-site") == [
        SourcedValue("carbon_intensity", "370 g/kWh", "its operator"),
        SourcedValue("electricity_price", "0.08 USD/kWh", "the utility", True, "a test"),
        SourcedValue("pue", "1.2", "its operator"),
    ]


def test_parts_of_a_sourced_value_share_its_source(site_folder):
    nested = SITE.replace("pue: 1.2", "pue: {value: {summer: 1.3, winter: [1.1, 1.2]}, source: a meter}")
    (site_folder / "test-site.yaml").write_text(nested)

    sources = {value.path: value.source for value in provenance("sites", "test-site")}
    assert sources["pue.summer"] == sources["pue.winter"] == "a meter"


@pytest.mark.parametrize(
    ("old", "new", "hint"),
    [
        ("why: a test", "why: ''", r"test-site\.yaml:5: electricity_price: an estimate needs a reason"),
        ("source: its operator\n", "", "source: a required key is missing"),
        ("pue: 1.2", "peu: 1.2", "peu: unknown key. Did you mean 'pue'"),
        ("pue: 1.2", "pue: 0.5", r"test-site\.yaml:6: pue: must be at least 1"),
        ("pue: 1.2", "pue: true", "pue: must be a quantity"),
        ("370 g/kWh", "370", r"test-site\.yaml:4: carbon_intensity: a unit is missing"),
    ],
)
def test_a_bad_entry_is_refused_with_its_file_and_line(site_folder, old, new, hint):
    (site_folder / "test-site.yaml").write_text(SITE.replace(old, new))

    with pytest.raises(ScenarioError, match=hint):
        load_entry("sites", "test-site")


def test_an_own_file_may_start_from_an_entry(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("base: dgx-h100\nnum_accelerators: 4\n")

    mapping = read_entry_file("nodes", path)

    assert mapping == {**entry_mapping("nodes", "dgx-h100"), "name": "dgx-h100", "num_accelerators": 4}


def test_an_own_file_with_an_unknown_base_is_refused_with_its_line(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("num_accelerators: 4\nbase: dgx-h101\n")

    with pytest.raises(ScenarioError, match=r"mine\.yaml:2: base: no entry .* Did you mean 'dgx-h100'"):
        read_entry_file("nodes", path)


def test_an_entry_mapping_is_the_callers_own():
    entry_mapping("models", "llama-2-7b")["num_layers"] = 1

    assert entry_mapping("models", "llama-2-7b")["num_layers"] == 32


def test_merging_changes_neither_side():
    base, above = {"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"b": 3}, "d": [2]}

    assert merged(base, above) == {"a": {"b": 3, "c": 2}, "d": [2]}
    assert (base, above) == ({"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"b": 3}, "d": [2]})
