import pytest

from dcsim.errors import ScenarioError
from dcsim.formulas.economics import annual_capital_usd
from dcsim.metrics.summary import summarize
from dcsim.tables import RunTables
from dcsim.units import SECONDS_PER_HOUR, SECONDS_PER_YEAR
from tests.metrics.by_hand import requests, scenario, served, serving_tables, steps

BOOK = {
    "title": "by hand",
    "source": "none",
    "kind": "owned",
    "node_price": {"dgx-h100": "300000 USD"},
    "network_share": 0.1,
    "lifetime": "5 yr",
    "discount_rate": "8 %/yr",
    "residual_value": 0.1,
    "maintenance": "4 %/yr",
    "colocation": "140 USD/kW/month",
}
ROWS = [
    {"started_at_s": 0.0, "duration_s": 1.0, "num_prefill_tokens": 1000, "num_sampled": 1},
    {"started_at_s": 1.0, "duration_s": 3.0, "num_steps": 100, "num_decodes": 5},
]


def cost(prices, **overrides):
    given = scenario(economics={"prices": prices}, **overrides)
    return summarize(
        given, [RunTables({"chat": serving_tables(requests(served(0.0)), steps(*ROWS))})]
    ).values["cost"]


@pytest.fixture
def book(tmp_path, monkeypatch):
    import yaml

    monkeypatch.chdir(tmp_path)
    (tmp_path / "book.yaml").write_text(yaml.safe_dump(BOOK))
    return "./book.yaml"


def test_owned_machines_cost_their_parts(book):
    found = cost(book)
    node = scenario().cluster.node
    window_yr = 10.0 / SECONDS_PER_YEAR
    assert found["capital_usd"] == pytest.approx(window_yr * annual_capital_usd(330_000.0, 0.08, 5.0, 0.1))
    assert found["maintenance_usd"] == pytest.approx(window_yr * 0.04 * 330_000.0)
    assert found["colocation_usd"] == pytest.approx(window_yr * 12 * 140.0 * node.rated_w / 1000)
    parts = found["capital_usd"] + found["maintenance_usd"] + found["colocation_usd"]
    assert found["electricity_usd"] is None
    assert found["total_usd"] == pytest.approx(parts)


def test_rented_machines_cost_their_hourly_price_busy_or_not():
    given = scenario(economics={"prices": "on-demand-2026"}, cluster__num_nodes=2)
    price_usd_per_s = given.economics.prices.accelerator_usd_per_s["h100-sxm"]
    found = cost("on-demand-2026", cluster__num_nodes=2)
    assert found["usd_per_accelerator_hour"] == pytest.approx(price_usd_per_s * SECONDS_PER_HOUR)
    assert found["total_usd"] == pytest.approx(16 * 10.0 * price_usd_per_s)
    assert found["electricity_usd"] is None


def test_cost_per_token_divides_by_the_tokens_of_the_window():
    found = cost("on-demand-2026")
    assert found["usd_per_million_output_tokens"] == pytest.approx(found["total_usd"] / 501 * 1e6)
    assert found["usd_per_million_total_tokens"] == pytest.approx(found["total_usd"] / 511 * 1e6)


def test_the_split_by_phase_gives_each_kind_of_token_its_time():
    found = cost("on-demand-2026")["by_phase_time"]
    total_usd = cost("on-demand-2026")["total_usd"]
    assert found["usd_per_million_prompt_tokens"] == pytest.approx(total_usd / 4 / 10 * 1e6)
    assert found["usd_per_million_output_tokens"] == pytest.approx(total_usd * 3 / 4 / 501 * 1e6)


def test_a_node_without_a_price_is_refused(book):
    with pytest.raises(ScenarioError, match="no price for"):
        cost(book, cluster__node="hgx-h100")
