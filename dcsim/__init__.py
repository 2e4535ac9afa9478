"""dcsim: a datacenter simulator and capacity planner for AI.

>>> import dcsim
>>> result = dcsim.run(dcsim.load("scenarios/azure-conv.yaml"))  # doctest: +SKIP
>>> result.serving["chat"].ttft_s.p99  # doctest: +SKIP

Everything below is imported on first use, so that ``import dcsim`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from dcsim.version import __version__

if TYPE_CHECKING:
    from dcsim.calibration.report.measured import ComparedOperator
    from dcsim.calibration.report.profile import ProfileReport, profile_report
    from dcsim.calibration.validate.here import validate_here
    from dcsim.calibration.validate.published import validate_published
    from dcsim.catalog.loader import SourcedValue, entry_names, load_entry, provenance
    from dcsim.errors import DcsimError, InfeasibleError, Problem, ScenarioError, SimulationError
    from dcsim.formulas.training.memory import RankMemory
    from dcsim.report.chrome_trace import write_chrome_trace
    from dcsim.report.explain import explained_parts
    from dcsim.report.key_figures import catalogue_kinds, entry_title, key_figures
    from dcsim.report.numbers import given_text, quantity_text, scales_of
    from dcsim.report.verdict import Verdict, chance_text, limits_of, verdict_of
    from dcsim.result import Estimate, Result, SummaryView, open_result
    from dcsim.spec.deployment import memory_fit
    from dcsim.spec.loader import load
    from dcsim.spec.scenario import Scenario
    from dcsim.spec.schema import scenario_json_schema
    from dcsim.study.comparison import Comparison, compare
    from dcsim.study.comparison_row import ComparisonRow
    from dcsim.study.completion_estimate import CompletionForecast, estimate_completion
    from dcsim.study.difference import Difference, Significance
    from dcsim.study.estimate import estimate
    from dcsim.study.finding import Finding
    from dcsim.study.forecast import Forecast, ServingForecast
    from dcsim.study.gallery import gallery
    from dcsim.study.job import Job, JobState, JobStatus
    from dcsim.study.run import check, run
    from dcsim.study.slo_status import SloStatus
    from dcsim.study.strategy import Ranking, Strategy, StrategySpace, rank_strategies
    from dcsim.study.training_estimate import TrainingForecast, estimate_training
    from dcsim.study.workspace import Workspace
    from dcsim.units import duration_text

    open = open_result

_HOMES = {
    "ComparedOperator": "dcsim.calibration.report.measured:ComparedOperator",
    "Comparison": "dcsim.study.comparison:Comparison",
    "ComparisonRow": "dcsim.study.comparison_row:ComparisonRow",
    "CompletionForecast": "dcsim.study.completion_estimate:CompletionForecast",
    "DcsimError": "dcsim.errors:DcsimError",
    "Difference": "dcsim.study.difference:Difference",
    "Estimate": "dcsim.result:Estimate",
    "Finding": "dcsim.study.finding:Finding",
    "Forecast": "dcsim.study.forecast:Forecast",
    "InfeasibleError": "dcsim.errors:InfeasibleError",
    "Job": "dcsim.study.job:Job",
    "JobState": "dcsim.study.job:JobState",
    "JobStatus": "dcsim.study.job:JobStatus",
    "Problem": "dcsim.errors:Problem",
    "ProfileReport": "dcsim.calibration.report.profile:ProfileReport",
    "RankMemory": "dcsim.formulas.training.memory:RankMemory",
    "Ranking": "dcsim.study.strategy:Ranking",
    "Result": "dcsim.result:Result",
    "Scenario": "dcsim.spec.scenario:Scenario",
    "ScenarioError": "dcsim.errors:ScenarioError",
    "ServingForecast": "dcsim.study.forecast:ServingForecast",
    "Significance": "dcsim.study.difference:Significance",
    "SimulationError": "dcsim.errors:SimulationError",
    "SloStatus": "dcsim.study.slo_status:SloStatus",
    "SourcedValue": "dcsim.catalog.loader:SourcedValue",
    "Strategy": "dcsim.study.strategy:Strategy",
    "StrategySpace": "dcsim.study.strategy:StrategySpace",
    "SummaryView": "dcsim.result:SummaryView",
    "TrainingForecast": "dcsim.study.training_estimate:TrainingForecast",
    "Verdict": "dcsim.report.verdict:Verdict",
    "Workspace": "dcsim.study.workspace:Workspace",
    "catalogue_kinds": "dcsim.report.key_figures:catalogue_kinds",
    "chance_text": "dcsim.report.verdict:chance_text",
    "check": "dcsim.study.run:check",
    "compare": "dcsim.study.comparison:compare",
    "duration_text": "dcsim.units:duration_text",
    "entry_names": "dcsim.catalog.loader:entry_names",
    "entry_title": "dcsim.report.key_figures:entry_title",
    "estimate": "dcsim.study.estimate:estimate",
    "estimate_completion": "dcsim.study.completion_estimate:estimate_completion",
    "estimate_training": "dcsim.study.training_estimate:estimate_training",
    "explained_parts": "dcsim.report.explain:explained_parts",
    "gallery": "dcsim.study.gallery:gallery",
    "given_text": "dcsim.report.numbers:given_text",
    "key_figures": "dcsim.report.key_figures:key_figures",
    "limits_of": "dcsim.report.verdict:limits_of",
    "load": "dcsim.spec.loader:load",
    "load_entry": "dcsim.catalog.loader:load_entry",
    "memory_fit": "dcsim.spec.deployment:memory_fit",
    "open": "dcsim.result:open_result",
    "profile_report": "dcsim.calibration.report.profile:profile_report",
    "provenance": "dcsim.catalog.loader:provenance",
    "quantity_text": "dcsim.report.numbers:quantity_text",
    "rank_strategies": "dcsim.study.strategy:rank_strategies",
    "run": "dcsim.study.run:run",
    "scales_of": "dcsim.report.numbers:scales_of",
    "scenario_json_schema": "dcsim.spec.schema:scenario_json_schema",
    "validate_here": "dcsim.calibration.validate.here:validate_here",
    "validate_published": "dcsim.calibration.validate.published:validate_published",
    "verdict_of": "dcsim.report.verdict:verdict_of",
    "write_chrome_trace": "dcsim.report.chrome_trace:write_chrome_trace",
}

__all__ = [
    "ComparedOperator",
    "Comparison",
    "ComparisonRow",
    "CompletionForecast",
    "DcsimError",
    "Difference",
    "Estimate",
    "Finding",
    "Forecast",
    "InfeasibleError",
    "Job",
    "JobState",
    "JobStatus",
    "Problem",
    "ProfileReport",
    "RankMemory",
    "Ranking",
    "Result",
    "Scenario",
    "ScenarioError",
    "ServingForecast",
    "Significance",
    "SimulationError",
    "SloStatus",
    "SourcedValue",
    "Strategy",
    "StrategySpace",
    "SummaryView",
    "TrainingForecast",
    "Verdict",
    "Workspace",
    "__version__",
    "catalogue_kinds",
    "chance_text",
    "check",
    "compare",
    "duration_text",
    "entry_names",
    "entry_title",
    "estimate",
    "estimate_completion",
    "estimate_training",
    "explained_parts",
    "gallery",
    "given_text",
    "key_figures",
    "limits_of",
    "load",
    "load_entry",
    "memory_fit",
    "open",
    "profile_report",
    "provenance",
    "quantity_text",
    "rank_strategies",
    "run",
    "scales_of",
    "scenario_json_schema",
    "validate_here",
    "validate_published",
    "verdict_of",
    "write_chrome_trace",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'dcsim' has no attribute '{name}'")
    module, attribute = _HOMES[name].split(":")
    found: object = getattr(import_module(module), attribute)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """Offer the public names before they are imported."""
    return sorted({*globals(), *__all__})
