"""Results with made-up numbers: what a comparison sees of a run, and no more."""

from collections.abc import Mapping
from datetime import UTC, datetime

from dcsim.result import Result, RunRecord
from dcsim.result.tables import ResultTables
from dcsim.spec.scenario import Scenario
from tests.study.scenarios_for_tests import tiny

COST = "cost.usd_per_million_output_tokens"
FACILITY_ENERGY = "energy.facility_j_per_output_token"
IT_ENERGY = "energy.it_j_per_output_token"
LATENCY = "serving.chat.e2e_s.p99"
IS_MET = "serving.chat.is_slo_met"
VERDICT = "serving.chat.stability.verdict"

_RECORD = RunRecord(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))


def made(
    values: Mapping[str, object],
    *,
    half_widths: Mapping[str, object] | None = None,
    predictions: Mapping[str, object] | None = None,
    by_replication: Mapping[str, object] | None = None,
    scenario: Scenario | None = None,
) -> Result:
    """A result with these numbers at dotted paths, by default stable and of the scenario ``tiny``."""
    summary: dict[str, object] = {}
    found = {VERDICT: "stable", IS_MET: True} if scenario is None else {}
    prefixed = {
        **found,
        **values,
        **{f"intervals.{path}": width for path, width in (half_widths or {}).items()},
        **{f"prediction.{path}": ends for path, ends in (predictions or {}).items()},
        **{f"by_replication.{path}": numbers for path, numbers in (by_replication or {}).items()},
    }
    for path, value in prefixed.items():
        *above, last = path.split(".")
        level = summary
        for key in above:
            level = level.setdefault(key, {})  # type: ignore[assignment]
        level[last] = value
    return Result(lambda: scenario or tiny(), ResultTables(lambda: []), summary, _RECORD)


def standing(cost: object, energy: object, latency: object, is_met: object = True) -> Result:
    """A result that has the objectives, each without noise."""
    values = {COST: cost, IT_ENERGY: energy, FACILITY_ENERGY: energy, LATENCY: latency}
    return made({**values, IS_MET: is_met}, half_widths=dict.fromkeys(values, 0.0))
