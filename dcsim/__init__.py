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
    from dcsim.calibration.validate.here import validate_here
    from dcsim.calibration.validate.published import validate_published
    from dcsim.catalog.loader import entry_names, load_entry, provenance
    from dcsim.errors import DcsimError, InfeasibleError, Problem, ScenarioError, SimulationError
    from dcsim.report.chrome_trace import write_chrome_trace
    from dcsim.report.explain import explained_parts
    from dcsim.report.key_figures import catalogue_kinds, entry_title, key_figures
    from dcsim.report.numbers import duration_text, given_text, quantity_text, scales_of
    from dcsim.report.verdict import Verdict, limits_of, verdict_of
    from dcsim.result import Estimate, Result, SummaryView, open_result
    from dcsim.spec.loader import load
    from dcsim.spec.scenario import Scenario
    from dcsim.spec.schema import scenario_json_schema
    from dcsim.study.comparison import Comparison, compare
    from dcsim.study.gallery import gallery
    from dcsim.study.job import Job, JobState, JobStatus
    from dcsim.study.run import run
    from dcsim.study.workspace import Workspace

    open = open_result

_HOMES = {
    "Comparison": "dcsim.study.comparison:Comparison",
    "DcsimError": "dcsim.errors:DcsimError",
    "Estimate": "dcsim.result:Estimate",
    "InfeasibleError": "dcsim.errors:InfeasibleError",
    "Job": "dcsim.study.job:Job",
    "JobState": "dcsim.study.job:JobState",
    "JobStatus": "dcsim.study.job:JobStatus",
    "Problem": "dcsim.errors:Problem",
    "Result": "dcsim.result:Result",
    "Scenario": "dcsim.spec.scenario:Scenario",
    "ScenarioError": "dcsim.errors:ScenarioError",
    "SimulationError": "dcsim.errors:SimulationError",
    "SummaryView": "dcsim.result:SummaryView",
    "Verdict": "dcsim.report.verdict:Verdict",
    "Workspace": "dcsim.study.workspace:Workspace",
    "catalogue_kinds": "dcsim.report.key_figures:catalogue_kinds",
    "compare": "dcsim.study.comparison:compare",
    "duration_text": "dcsim.report.numbers:duration_text",
    "entry_names": "dcsim.catalog.loader:entry_names",
    "entry_title": "dcsim.report.key_figures:entry_title",
    "explained_parts": "dcsim.report.explain:explained_parts",
    "gallery": "dcsim.study.gallery:gallery",
    "given_text": "dcsim.report.numbers:given_text",
    "key_figures": "dcsim.report.key_figures:key_figures",
    "limits_of": "dcsim.report.verdict:limits_of",
    "load": "dcsim.spec.loader:load",
    "load_entry": "dcsim.catalog.loader:load_entry",
    "open": "dcsim.result:open_result",
    "provenance": "dcsim.catalog.loader:provenance",
    "quantity_text": "dcsim.report.numbers:quantity_text",
    "run": "dcsim.study.run:run",
    "scales_of": "dcsim.report.numbers:scales_of",
    "scenario_json_schema": "dcsim.spec.schema:scenario_json_schema",
    "validate_here": "dcsim.calibration.validate.here:validate_here",
    "validate_published": "dcsim.calibration.validate.published:validate_published",
    "verdict_of": "dcsim.report.verdict:verdict_of",
    "write_chrome_trace": "dcsim.report.chrome_trace:write_chrome_trace",
}

__all__ = [
    "Comparison",
    "DcsimError",
    "Estimate",
    "InfeasibleError",
    "Job",
    "JobState",
    "JobStatus",
    "Problem",
    "Result",
    "Scenario",
    "ScenarioError",
    "SimulationError",
    "SummaryView",
    "Verdict",
    "Workspace",
    "__version__",
    "catalogue_kinds",
    "compare",
    "duration_text",
    "entry_names",
    "entry_title",
    "explained_parts",
    "gallery",
    "given_text",
    "key_figures",
    "limits_of",
    "load",
    "load_entry",
    "open",
    "provenance",
    "quantity_text",
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
