"""One run: every replication simulated, in this process or in several, and measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from dcsim.errors import ScenarioError
from dcsim.metrics.summary import Measuring, Summary
from dcsim.result import Result, RunRecord, SummaryView
from dcsim.result.tables import ResultTables
from dcsim.sim.simulation import require_startable, simulate
from dcsim.spec.deployments import resolve_all
from dcsim.spec.scenario import Scenario
from dcsim.study.executor import AdaptiveExecutor, num_usable_processors
from dcsim.study.prediction import predict
from dcsim.study.provenance import provenance_of
from dcsim.tables import RunTables

Task = tuple[Scenario, int]

_REPLICATIONS_FRAC = 0.7  # of the progress bar; the rest is for the pilots of the draws


def run(
    scenario: Scenario,
    *,
    num_processes: int | None = None,
    on_progress: Callable[[float], None] | None = None,
    on_partial: Callable[[SummaryView], None] | None = None,
) -> Result:
    """Simulate every replication of the scenario and measure what they wrote.

    Then, unless ``calibration_draws`` is 0, simulate a short pilot for each draw of the calibration where
    requests are served, and time the steps of training anew for each, for prediction intervals. The result
    is the same bytes whatever ``num_processes`` (as many as there are processors if left out).
    ``on_progress`` is called now and then with the fraction done; a run ends at once by whatever it raises.
    ``on_partial`` is called after each replication but the last with the summary of those so far.

    Raises InfeasibleError where no such system can exist.
    """
    resolve_all(scenario)  # infeasible? say so before any process starts
    started_at = datetime.now(UTC)
    tasks = [(scenario, replication) for replication in range(scenario.replications)]
    executor = AdaptiveExecutor(num_processes or num_usable_processors())
    tell = on_progress or _ignore
    has_pilots = bool(scenario.calibration_draws and scenario.serving)
    is_predicted = has_pilots or bool(scenario.calibration_draws and scenario.training)
    share = _REPLICATIONS_FRAC if has_pilots else 1.0
    stream = _Stream(scenario, on_partial)
    replications = executor.map(simulate_task, tasks, lambda done: tell(share * done), stream.receive)
    if is_predicted:
        measured = predict(
            stream.measuring, replications[0], executor, lambda done: tell(share + (1.0 - share) * done)
        )
    else:
        measured = stream.measuring.summary()
    summary = _summary(scenario, measured, replications)
    record = RunRecord(started_at, datetime.now(UTC))
    return Result(lambda: scenario, ResultTables(lambda: replications), summary, record)


def _summary(scenario: Scenario, measured: Summary, replications: Sequence[RunTables]) -> dict[str, object]:
    """What stands in ``summary.json``."""
    document = measured.document()
    return {
        "schema": document.pop("schema"),
        "name": scenario.name,
        "question": scenario.question,
        **document,
        "provenance": provenance_of(scenario, replications),
    }


def check(scenario: Scenario) -> None:
    """Raise whatever :func:`run` would raise before anything is simulated; nothing if it would begin.

    Raises
    ------
    ScenarioError
        A file that the scenario names cannot be read, or something made of the scenario contradicts it.
    InfeasibleError
        No such system can exist, or the run could never be over.
    """
    resolve_all(scenario)
    with _located_errors(scenario):
        require_startable(scenario)


def simulate_task(task: Task, on_progress: Callable[[float], None]) -> RunTables:
    """One replication: what a worker does."""
    scenario, replication = task
    with _located_errors(scenario):
        return simulate(scenario, replication, on_progress=on_progress)


@contextmanager
def _located_errors(scenario: Scenario) -> Iterator[None]:
    """Errors found in a file, or by what is made of the scenario, name its file and line."""
    try:
        yield
    except ScenarioError as error:
        raise scenario.located(error) from error


class _Stream:
    """Measures replications in their order as they come in, in whatever order that is."""

    def __init__(self, scenario: Scenario, on_partial: Callable[[SummaryView], None] | None) -> None:
        self.measuring = Measuring(scenario)
        self._on_partial = on_partial
        self._num_all = scenario.replications
        self._num_measured = 0
        self._early: dict[int, RunTables] = {}

    def receive(self, number: int, tables: RunTables) -> None:
        """Measure a replication, or keep it until those before it are there."""
        self._early[number] = tables
        while self._num_measured in self._early:
            self.measuring.add(self._early.pop(self._num_measured))
            self._num_measured += 1
            if self._on_partial is not None and self._num_measured < self._num_all:
                so_far = self.measuring.summary()
                self._on_partial(SummaryView(so_far.values, so_far.intervals))


def _ignore(_: float) -> None:
    """Nobody watches."""
