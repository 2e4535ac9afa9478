import json
from pathlib import Path

import numpy as np
import pandas
import pytest

import dcsim
from dcsim.errors import ScenarioError
from dcsim.result import Result
from dcsim.result.tables import KINDS
from dcsim.spec.loader import load
from dcsim.study.run import run
from dcsim.tables import ServingTables
from tests.study.scenarios_for_tests import tiny


@pytest.fixture(scope="module")
def result() -> Result:
    return run(tiny(replications=2), num_processes=1)


@pytest.fixture
def saved(result: Result, tmp_path: Path) -> Path:
    return result.save(tmp_path / "out")


def test_a_saved_result_opens_as_it_was(result: Result, saved: Path):
    opened = dcsim.open(saved)
    assert opened.summary_text() == result.summary_text()
    assert opened.scenario.document == result.scenario.document
    assert opened.record == result.record
    for one, other in zip(result.tables.replications, opened.tables.replications, strict=True):
        assert_equal(one["chat"], other["chat"])


def assert_equal(one: ServingTables, other: ServingTables) -> None:
    assert one.ended_at_s == other.ended_at_s
    for kind, columns in KINDS.items():
        for name in columns:
            np.testing.assert_array_equal(getattr(one, kind)[name], getattr(other, kind)[name])


def test_all_but_the_manifest_is_the_same_for_the_same_seed(result: Result, tmp_path: Path):
    again = run(tiny(replications=2), num_processes=1)
    first, second = result.save(tmp_path / "first"), again.save(tmp_path / "second")
    for path in first.iterdir():
        if path.name != "manifest.json":
            assert path.read_bytes() == (second / path.name).read_bytes(), path.name


def test_the_saved_scenario_is_a_scenario(result: Result, saved: Path):
    assert load(saved / "scenario.yaml").document == result.scenario.document


def test_parquet_tables_say_what_their_columns_mean(saved: Path):
    frame = pandas.read_parquet(saved / "chat-requests.parquet")
    assert sorted(frame.replication.unique()) == [0, 1]
    import pyarrow.parquet

    field = pyarrow.parquet.read_schema(saved / "chat-requests.parquet").field("arrived_at_s")
    assert field.metadata == {b"unit": b"s", b"meaning": b"arrival at the front door"}


def test_numbers_are_read_by_attributes(result: Result):
    estimate = result.serving["chat"].ttft_s.p99
    assert estimate.value == result.summary["serving"]["chat"]["ttft_s"]["p99"]
    assert estimate.half_width == result.summary["intervals"]["serving"]["chat"]["ttft_s"]["p99"]
    assert estimate.low <= float(estimate) <= estimate.high
    assert result.cost.usd_per_million_output_tokens.value > 0
    assert result.energy.it_j.value > 0
    assert result.carbon.total_kg.value > 0


def test_a_number_carries_its_prediction_interval(tmp_path: Path):
    predicted = run(tiny(calibration_draws=4), num_processes=1)
    opened = dcsim.open(predicted.save(tmp_path / "out"))
    for one in (predicted, opened):
        estimate = one.serving["chat"].ttft_s.p99
        assert list(estimate.prediction) == one.summary["prediction"]["serving"]["chat"]["ttft_s"]["p99"]
        assert estimate.interval == estimate.prediction
        assert estimate.low <= estimate.value <= estimate.high
        assert str(estimate).endswith("]")


def test_without_draws_the_interval_is_that_of_the_replications(result: Result):
    estimate = result.serving["chat"].ttft_s.p99
    assert estimate.prediction is None
    assert estimate.interval == (estimate.low, estimate.high)


def test_an_unknown_number_is_answered_with_those_there_are(result: Result):
    with pytest.raises(AttributeError, match=r"no 'p98' in serving\.chat\.ttft_s; it has mean, p50"):
        _ = result.serving["chat"].ttft_s.p98


def test_a_section_that_was_not_asked_for_says_so():
    without = {key: value for key, value in tiny().document.items() if key != "economics"}
    with pytest.raises(AttributeError, match="no section economics"):
        _ = run(load(without)).cost


def test_tables_of_all_replications_are_one_frame(result: Result):
    frame = result.tables.requests
    assert list(frame.columns[:3]) == ["workload", "replication", "replica"]
    assert len(frame) == sum(len(tables["chat"].requests) for tables in result.tables.replications)
    assert len(result.tables.steps) > 0


def test_a_changed_file_is_noticed(saved: Path):
    summary = json.loads((saved / "summary.json").read_text())
    summary["name"] = "better"
    (saved / "summary.json").write_text(json.dumps(summary))
    with pytest.raises(ScenarioError, match="has changed since"):
        dcsim.open(saved)


def test_a_truncated_table_is_noticed(saved: Path):
    path = saved / "chat-steps.parquet"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ScenarioError, match="has changed since"):
        _ = dcsim.open(saved).tables.steps


def test_a_folder_without_a_result_is_refused(tmp_path: Path):
    with pytest.raises(ScenarioError, match="holds no dcsim result"):
        dcsim.open(tmp_path)


def test_what_json_cannot_say_is_null(result: Result):
    odd = Result(lambda: result.scenario, result.tables, {"serving": {}, "x": float("nan")}, result.record)
    assert json.loads(odd.summary_text())["x"] is None


def test_the_disk_being_full_is_told_in_one_message(result: Result, tmp_path: Path, monkeypatch):
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dcsim.result.result.write_serving", fail)
    with pytest.raises(ScenarioError, match="No space left on device"):
        result.save(tmp_path / "out")
    assert not list(tmp_path.iterdir())
