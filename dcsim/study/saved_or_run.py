"""Results by what a user names: folders of saved results are opened, scenarios are run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from dcsim.errors import InfeasibleError, Problem, ScenarioError
from dcsim.result import Result, is_result, open_result
from dcsim.spec.scenario import Scenario
from dcsim.study.gallery import load_scenario
from dcsim.study.run import check, run


def saved_or_run(
    names: Sequence[str],
    *,
    overrides: Mapping[str, object],
    num_processes: int | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> list[Result]:
    """A result for each name: that of a folder, or of a run of a scenario file or name of the gallery.

    Before anything runs, all are read, and all scenarios checked.

    Raises
    ------
    ScenarioError
        A name or scenario is wrong, or ``overrides`` are given for a result that is saved already.
    InfeasibleError
        One of the systems cannot be.
    """
    sources = [_source(name, overrides) for name in names]
    for name, source in zip(names, sources, strict=True):
        if isinstance(source, Scenario):
            _refuse_infeasible(name, source)
    num_runs = sum(isinstance(source, Scenario) for source in sources)
    results: list[Result] = []
    num_done = 0
    for source in sources:
        if isinstance(source, Result):
            results.append(source)
            continue
        on_part = None if on_progress is None else _part_of(on_progress, num_done, num_runs)
        results.append(run(source, num_processes=num_processes, on_progress=on_part))
        num_done += 1
    return results


def _source(name: str, overrides: Mapping[str, object]) -> Result | Scenario:
    if not is_result(Path(name)):
        return load_scenario(name, overrides=overrides)
    if overrides:
        message, remedy = "is a saved result, in which nothing can be set", "Name its scenario.yaml to run it"
        raise ScenarioError(Problem(message, remedy=remedy, file=name))
    return open_result(name)


def _refuse_infeasible(name: str, scenario: Scenario) -> None:
    try:
        check(scenario)
    except InfeasibleError as error:
        raise InfeasibleError(f"{name}: {error}") from error


def _part_of(on_progress: Callable[[float], None], num_done: int, num_runs: int) -> Callable[[float], None]:
    """Progress of one run told as that of all of them."""
    return lambda done_frac: on_progress((num_done + done_frac) / num_runs)
