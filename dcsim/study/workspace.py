"""A workspace: the folder in which runs are kept, and from which they are started in the background."""

from __future__ import annotations

import filecmp
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path

from dcsim.catalog.loader import RESIDUALS
from dcsim.errors import Problem, ScenarioError
from dcsim.model_walk import Spot
from dcsim.result import document_text
from dcsim.spec.deployments import resolve_all
from dcsim.spec.document import file_names
from dcsim.spec.scenario import Scenario
from dcsim.strict_yaml import read_yaml_file
from dcsim.study.job import JOB, SCENARIO, Job, JobState, JobStatus, write_json, write_status

_RUNS = "runs"
FILES = "files"  # in the folder of a run: those that its scenario names
_ID = re.compile(r"\d{8}-\d{6}-\d{6}")  # the instant to a microsecond, so that names tell the order
_ENVIRONMENT = "DCSIM_WORKSPACE"


def default_workspace() -> Path:
    """The folder that DCSIM_WORKSPACE names, else one of the user's own for data."""
    given = os.environ.get(_ENVIRONMENT)
    if given:
        return Path(given)
    home = os.environ.get("XDG_DATA_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(home) if home else Path.home() / ".local" / "share") / "dcsim"


class Workspace:
    """Runs in a folder: started, watched, cancelled, opened, removed.

    >>> Workspace("/tmp/my-runs").jobs()  # doctest: +SKIP
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        self.folder = Path(folder) if folder is not None else default_workspace()

    def start(self, scenario: Scenario) -> Job:
        """Start a run of the scenario in a process of its own, and return at once.

        Runs wait for one another where the machine has too few processors. The scenario and every file
        that it names are copied, so that the job needs nothing outside of its folder.

        Raises
        ------
        InfeasibleError
            No such system can exist; nothing is started.
        """
        resolve_all(scenario)
        folder = self._new_folder()
        with ExitStack() as undone:
            undone.callback(shutil.rmtree, folder)
            self._fill(folder, scenario)
            job = Job(folder)
            job.start()
            undone.pop_all()  # it runs: its folder stays
        return job

    def jobs(self) -> list[Job]:
        """All runs, the latest first."""
        runs = self.folder / _RUNS
        if not runs.is_dir():
            return []
        folders = sorted((one for one in runs.iterdir() if _is_job(one)), reverse=True)
        return [Job(one) for one in folders]

    def job(self, job_id: str) -> Job:
        """The run of that id. Raises ScenarioError if there is none."""
        folder = self.folder / _RUNS / job_id
        if not _ID.fullmatch(job_id) or not _is_job(folder):
            raise ScenarioError(Problem("no such run in this workspace", file=job_id[:40]))
        return Job(folder)

    def _new_folder(self) -> Path:
        runs = self.folder / _RUNS
        runs.mkdir(parents=True, exist_ok=True)
        while True:
            folder = runs / datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
            with suppress(FileExistsError):  # two at one instant
                folder.mkdir()
                return folder

    def _fill(self, folder: Path, scenario: Scenario) -> None:
        settings = {}
        names = file_names(scenario.document, Spot(Scenario, value=scenario.document))
        for path, name in names:
            settings[path] = _copied(name, scenario.folder, folder / FILES)
        document = scenario.document
        for path, name in settings.items():
            inner: object = document
            for key in path[:-1]:
                inner = inner[key]  # type: ignore[index]
            inner[path[-1]] = name  # type: ignore[index]
        (folder / SCENARIO).write_text(document_text(document), encoding="utf-8")
        write_status(folder, JobStatus(JobState.QUEUED))
        about = {
            "name": scenario.name,
            "question": scenario.question,
            "replications": scenario.replications,
            "asked_at_s": time.time(),
        }
        write_json(folder / JOB, about)


def _copied(name: str, start: Path, files: Path) -> str:
    """Copy a file that the scenario names, and the tables beside an efficiency profile; its new name.

    Different files of one name are kept apart by a number before it.
    """
    source = start / name if (start / name).exists() else Path(name)
    files.mkdir(exist_ok=True)
    target, number = files / source.name, 1
    while target.exists() and not filecmp.cmp(source, target, shallow=False):
        number += 1
        target = files / f"{number}-{source.name}"
    shutil.copyfile(source, target)
    for table in _tables_beside(source):
        shutil.copyfile(table, files / table.name)
    return f"{FILES}/{target.name}"


def _tables_beside(source: Path) -> Iterator[Path]:
    """The residual tables that an efficiency profile names."""
    if source.suffix not in (".yaml", ".yml"):
        return
    value = read_yaml_file(source).value
    named = value.get(RESIDUALS) if isinstance(value, dict) else None
    for name in [named] if isinstance(named, str) else named or ():
        table = source.parent / str(name)
        if Path(str(name)).name == name and table.is_file():
            yield table


def _is_job(folder: Path) -> bool:
    return (folder / JOB).is_file()
