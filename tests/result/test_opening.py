"""The series in a saved result: written with it, checked, and computed where it is missing."""

import json
from pathlib import Path

import pytest

import dcsim
from dcsim.errors import ScenarioError
from dcsim.result import Result
from dcsim.study.run import run
from tests.study.scenarios_for_tests import tiny

SERIES = "series.json"


@pytest.fixture(scope="module")
def result() -> Result:
    return run(tiny(replications=2), num_processes=1)


@pytest.fixture
def saved(result: Result, tmp_path: Path) -> Path:
    return result.save(tmp_path / "out")


def without_series(folder: Path) -> Path:
    """The folder as a dcsim that knew no series would have written it."""
    (folder / SERIES).unlink()
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["files"][SERIES]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_the_series_opens_as_it_was_and_touches_no_table(result: Result, saved: Path):
    for table in saved.glob("*.parquet"):
        table.unlink()
    assert dcsim.open(saved).series == result.series
    assert (saved / SERIES).read_text(encoding="utf-8") == result.series_text()


def test_the_manifest_knows_the_series(saved: Path):
    known = json.loads((saved / "manifest.json").read_text())["files"][SERIES]
    assert known["bytes"] == (saved / SERIES).stat().st_size


@pytest.mark.parametrize("change", [lambda path: path.unlink(), lambda path: path.write_text("{}")])
def test_a_series_that_is_missing_or_changed_is_noticed_when_it_is_asked_for(saved: Path, change):
    change(saved / SERIES)
    opened = dcsim.open(saved)
    with pytest.raises(ScenarioError, match="is missing or has changed"):
        _ = opened.series


def test_a_result_saved_before_there_were_series_computes_them_from_its_tables(result: Result, saved: Path):
    older = dcsim.open(without_series(saved))
    assert older.series == result.series


def test_an_older_result_saved_again_has_its_series(result: Result, saved: Path, tmp_path: Path):
    again = dcsim.open(without_series(saved)).save(tmp_path / "again")
    assert (again / SERIES).read_text(encoding="utf-8") == result.series_text()


def test_running_computes_no_series(result: Result, monkeypatch):
    monkeypatch.setattr("dcsim.result.result.run_series", lambda *_: pytest.fail("not asked for"))
    run(tiny(), num_processes=1)


def test_nothing_is_saved_if_the_series_cannot_be_computed(result: Result, tmp_path: Path, monkeypatch):
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("dcsim.result.result.run_series", fail)
    fresh = Result(lambda: result.scenario, result.tables, result.summary, result.record)
    with pytest.raises(MemoryError):
        fresh.save(tmp_path / "out")
    assert not list(tmp_path.iterdir())
