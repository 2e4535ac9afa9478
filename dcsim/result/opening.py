"""Opening a saved result: what is read of its folder, when, and how it is checked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from dcsim.result.folder import MANIFEST, file_sha256, is_result, refusal
from dcsim.result.result import FORMAT_VERSION, SCENARIO_FILE, SERIES_FILE, SUMMARY_FILE, Result, RunRecord
from dcsim.result.tables import ResultTables, read_cluster, read_serving
from dcsim.spec.loader import load
from dcsim.spec.scenario import Scenario
from dcsim.tables import RunTables


def open_result(folder: str | Path) -> Result:
    """A saved result. Its tables and its series are read when they are first asked for.

    Raises ScenarioError if the folder holds no result, or a file of it has changed since.
    """
    place = Path(folder)
    if not is_result(place):
        raise refusal(
            place, "holds no dcsim result", "Give a folder that `dcsim run -o` or Result.save wrote"
        )
    manifest = json.loads((place / MANIFEST).read_bytes())
    if manifest["format_version"] != FORMAT_VERSION:
        raise refusal(
            place, "was saved by another version of dcsim", f"Open it with dcsim {manifest['dcsim']}"
        )
    record = RunRecord(
        datetime.fromisoformat(manifest["started_at"]),
        datetime.fromisoformat(manifest["finished_at"]),
        manifest["dcsim"],
    )
    summary = json.loads(_checked(place, SUMMARY_FILE, manifest).read_bytes())
    tables = ResultTables(lambda: _replications(place, manifest))
    series = _saved_series(place, manifest)
    return Result(lambda: _scenario(place, manifest), tables, summary, record, series, place)


def saved_scenario_folder(scenario: Path) -> Path | None:
    """Where relative file names start in the scenario of a saved result; None for any other file."""
    if scenario.name != SCENARIO_FILE or not is_result(scenario.parent):
        return None
    folder = json.loads((scenario.parent / MANIFEST).read_bytes()).get("scenario_folder")
    return Path(folder) if isinstance(folder, str) else None


def _scenario(place: Path, manifest: Mapping[str, object]) -> Scenario:
    """The scenario; relative file names in it still start where the original stood."""
    return load(_checked(place, SCENARIO_FILE, manifest), folder=str(manifest["scenario_folder"]))


def _saved_series(
    place: Path, manifest: Mapping[str, Mapping[str, object]]
) -> Callable[[], Mapping[str, object]] | None:
    """What reads the series; None for a result saved before there were any."""
    if SERIES_FILE not in manifest["files"]:
        return None

    def read() -> Mapping[str, object]:
        series: Mapping[str, object] = json.loads(_checked(place, SERIES_FILE, manifest).read_bytes())
        return series

    return read


def _replications(place: Path, manifest: Mapping[str, Any]) -> list[RunTables]:
    num_replications = int(manifest["replications"])
    by_workload = {
        workload: read_serving({kind: _checked(place, name, manifest) for kind, name in names.items()})
        for workload, names in manifest["tables"].items()
    }
    files = {
        kind: _checked(place, name, manifest) for kind, name in manifest.get("cluster_tables", {}).items()
    }
    cluster, ended_at_s = (
        read_cluster(files) if files else ([{}] * num_replications, [0.0] * num_replications)
    )
    return [
        RunTables(
            {name: tables[number] for name, tables in by_workload.items()},
            cluster[number],
            ended_at_s[number],
        )
        for number in range(num_replications)
    ]


def _checked(place: Path, name: str, manifest: Mapping[str, object]) -> Path:
    """The path of a file of the result; raises ScenarioError if it is not the file that was saved."""
    path = place / name
    files = manifest["files"]
    known = files.get(name) if isinstance(files, Mapping) else None
    if not path.is_file() or known is None or file_sha256(path) != known["sha256"]:
        raise refusal(path, "is missing or has changed since the result was saved", "Run the scenario again")
    return path
