"""The result of a run: scenario, tables and summary with provenance; saved as a folder and opened again.

The folder holds ``manifest.json`` (who, when, where, and a hash of every file), ``scenario.yaml``
(with ``base:`` and overrides applied), ``summary.json``, ``series.json`` and the tables in parquet. All but
the manifest are the same bytes for the same scenario, seed and version.
"""

from __future__ import annotations

import hashlib
import json
import math
import platform
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

from dcsim.metrics.series.run_series import run_series
from dcsim.result.document import document_text
from dcsim.result.folder import FORMAT, MANIFEST, file_sha256, refusal, whole_folder
from dcsim.result.tables import KINDS, ResultTables, write_cluster, write_serving
from dcsim.result.view import SummaryView
from dcsim.spec.scenario import Scenario
from dcsim.version import __version__

FORMAT_VERSION = 1
SUMMARY_FILE = "summary.json"
SERIES_FILE = "series.json"
SCENARIO_FILE = "scenario.yaml"
_PACKAGES = ("numpy", "pandas", "pyarrow", "pydantic", "simpy")


@dataclass(frozen=True, slots=True)
class RunRecord:
    """When a run took place, and by which version of dcsim."""

    started_at: datetime
    finished_at: datetime
    dcsim_version: str = __version__


class Result:
    """One run of one scenario.

    Attributes
    ----------
    summary
        The numbers as nested plain values: what ``summary.json`` holds, intervals and provenance included.
    tables
        What the simulation wrote, as pandas frames (``result.tables.requests``) or numpy columns.
    record
        When the run took place.
    folder
        Where it is saved; None as long as it is nowhere.
    """

    def __init__(
        self,
        load_scenario: Callable[[], Scenario],
        tables: ResultTables,
        summary: Mapping[str, object],
        record: RunRecord,
        load_series: Callable[[], Mapping[str, object]] | None = None,
        folder: Path | None = None,
    ) -> None:
        self._load_scenario = load_scenario
        self._load_series = load_series
        self.tables = tables
        self.summary = summary
        self.record = record
        self.folder = folder

    def __repr__(self) -> str:
        return f"<Result {self.summary.get('name', '')}: {', '.join(self._names)}>"

    @cached_property
    def scenario(self) -> Scenario:
        """The scenario that was run, with ``base:`` and overrides applied."""
        return self._load_scenario()

    @cached_property
    def series(self) -> Mapping[str, object]:
        """Distributions, timelines and worst requests as nested plain values: what ``series.json`` holds.

        Read from the saved file, or else computed from the tables when first asked for.
        """
        if self._load_series is not None:
            return self._load_series()
        return run_series(self.scenario, self.tables.replications)

    @cached_property
    def view(self) -> SummaryView:
        """The whole summary by attributes, its numbers as estimates with their intervals."""
        intervals, prediction = self.summary.get("intervals"), self.summary.get("prediction")
        values = {key: value for key, value in self.summary.items() if key != "intervals"}
        return SummaryView(
            values,
            intervals if isinstance(intervals, Mapping) else {},
            prediction if isinstance(prediction, Mapping) else {},
        )

    @property
    def serving(self) -> SummaryView:
        """The served models by name: ``result.serving["chat"].ttft_s.p99``."""
        return self._section("serving", "the scenario serves nothing")

    @property
    def training(self) -> SummaryView:
        """The training jobs by name: ``result.training["pretrain"].step_time_s``."""
        return self._section("training", "the scenario trains nothing")

    @property
    def jobs(self) -> SummaryView:
        """The jobs of the cluster's scheduler: waits, completion times, use."""
        return self._section("jobs", "the scenario has no section jobs")

    @property
    def energy(self) -> SummaryView:
        """Energy and power."""
        return self._section("energy", "")

    @property
    def carbon(self) -> SummaryView:
        """Carbon."""
        return self._section("carbon", "the scenario has no section facility")

    @property
    def cost(self) -> SummaryView:
        """Money."""
        return self._section("cost", "the scenario has no section economics")

    @property
    def _names(self) -> list[str]:
        sections = [self.view.get(name) for name in ("serving", "training")]
        return [name for section in sections if isinstance(section, SummaryView) for name in section]

    def _section(self, name: str, why_not: str) -> SummaryView:
        section = self.view.get(name)
        if not isinstance(section, SummaryView) or not section:
            raise AttributeError(f"the summary has no {name}" + (f": {why_not}" if why_not else ""))
        return section

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Save into a folder that appears whole or not at all, and return it.

        Raises ScenarioError if the folder holds anything already (unless it is a result and ``overwrite``
        is given) or cannot be written.
        """
        target = Path(folder)
        try:
            with whole_folder(target, overwrite=overwrite) as hidden:
                self._write_files(hidden)
        except OSError as error:
            raise refusal(
                target, f"cannot be written: {error.strerror or error}", "Choose another folder"
            ) from error
        self.folder = target
        return target

    def summary_text(self) -> str:
        """The text of ``summary.json``."""
        return json.dumps(_finite(self.summary), indent=2, allow_nan=False, ensure_ascii=False) + "\n"

    def series_text(self) -> str:
        """The text of ``series.json``: all on one line, for its lists are long."""
        text = json.dumps(self.series, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
        return text + "\n"

    def _write_files(self, folder: Path) -> None:
        names, cluster_names = self._write_tables(folder), self._write_cluster_tables(folder)
        (folder / SCENARIO_FILE).write_text(document_text(self.scenario.document), encoding="utf-8")
        (folder / SUMMARY_FILE).write_text(self.summary_text(), encoding="utf-8")
        (folder / SERIES_FILE).write_text(self.series_text(), encoding="utf-8")
        manifest = self._manifest(folder, names, cluster_names)
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")

    def _write_tables(self, folder: Path) -> dict[str, dict[str, str]]:
        replications = self.tables.replications
        names: dict[str, dict[str, str]] = {}
        for workload in replications[0]:
            names[workload] = {kind: f"{quote(workload, safe='')}-{kind}.parquet" for kind in KINDS}
            for kind, name in names[workload].items():
                write_serving(folder / name, kind, workload, replications)
        return names

    def _write_cluster_tables(self, folder: Path) -> dict[str, str]:
        replications = self.tables.replications
        names = {kind: f"cluster-{kind}.parquet" for kind in replications[0].cluster}
        for kind, name in names.items():
            write_cluster(folder / name, kind, replications)
        return names

    def _manifest(
        self, folder: Path, tables: Mapping[str, Mapping[str, str]], cluster_tables: Mapping[str, str]
    ) -> dict[str, object]:
        document = json.dumps(self.scenario.document, sort_keys=True, default=str)
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "dcsim": self.record.dcsim_version,
            "python": platform.python_version(),
            "packages": {name: version(name) for name in _PACKAGES},
            "host": socket.gethostname(),
            "platform": platform.platform(),
            "started_at": self.record.started_at.isoformat(),
            "finished_at": self.record.finished_at.isoformat(),
            "scenario": self.scenario.name,
            "scenario_sha256": hashlib.sha256(document.encode()).hexdigest(),
            "scenario_folder": str(self.scenario.folder.resolve()),
            "seed": self.scenario.seed,
            "replications": self.scenario.replications,
            "tables": tables,
            "cluster_tables": cluster_tables,
            "files": {
                path.name: {"sha256": file_sha256(path), "bytes": path.stat().st_size}
                for path in sorted(folder.iterdir())
            },
        }


def _finite(value: object) -> object:
    """The value with null for what JSON cannot say."""
    if isinstance(value, Mapping):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
