"""Files of raw samples: written whole, read back equal, refused when they are something else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.calibration.centre import centre, densest_half, half_width_frac
from dcsim.calibration.samples import (
    COLUMNS,
    Samples,
    centres,
    read_samples,
    require_same_machine,
    table_of,
    write_samples,
)
from dcsim.errors import ScenarioError
from tests.calibration.measure.fake_device import machine


def rows(*seconds: float, size: int = 1, status: str = "ok") -> list[dict[str, object]]:
    head = {"case": f"gemm/{size}", "operator": "gemm", "datatype": "bf16", "cache": "cold"}
    return [
        head | {"num_rows": size, "status": status, "sample": i, "seconds": s} for i, s in enumerate(seconds)
    ]


def test_samples_come_back_as_they_were_written(tmp_path: Path) -> None:
    written = Samples(table_of(rows(1.0, 2.0)), machine())
    write_samples(tmp_path / "a.parquet", written)
    read = read_samples(tmp_path / "a.parquet")
    assert read.machine == written.machine
    pd.testing.assert_frame_equal(read.table, written.table, check_dtype=False)
    assert tuple(read.table.columns) == COLUMNS
    assert [file.name for file in tmp_path.iterdir()] == ["a.parquet"]


def test_a_file_that_is_not_there_says_how_to_measure(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="dcsim calibrate --samples"):
        read_samples(tmp_path / "no.parquet")


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_text("case,seconds")
    with pytest.raises(ScenarioError, match="is no parquet file"):
        read_samples(tmp_path / "a.parquet")


def test_a_parquet_file_without_a_machine_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"seconds": [1.0]}), tmp_path / "a.parquet")
    with pytest.raises(ScenarioError, match="does not tell the machine"):
        read_samples(tmp_path / "a.parquet")


def test_missing_columns_are_named(tmp_path: Path) -> None:
    table = pa.table({"seconds": [1.0]}).replace_schema_metadata({b"dcsim.machine": b"{}"})
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(ScenarioError, match="lacks the columns case, operator"):
        read_samples(tmp_path / "a.parquet")


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    write_samples(tmp_path / "a.parquet", Samples(table_of(rows(1.0)), machine()))
    whole = (tmp_path / "a.parquet").read_bytes()
    for length in (0, 3, len(whole) // 2, len(whole) - 1):
        (tmp_path / "a.parquet").write_bytes(whole[:length])
        with pytest.raises(ScenarioError, match="is no parquet file"):
            read_samples(tmp_path / "a.parquet")


@pytest.mark.parametrize(("column", "value"), [("seconds", "fast"), ("num_rows", "many"), ("case", 7)])
def test_columns_of_the_wrong_type_are_named(tmp_path: Path, column: str, value: object) -> None:
    table = table_of(rows(1.0)).astype({column: object})
    table[column] = [value]
    write_samples(tmp_path / "a.parquet", Samples(table, machine()))
    with pytest.raises(ScenarioError, match=f"columns of the wrong type: {column}"):
        read_samples(tmp_path / "a.parquet")


@pytest.mark.parametrize(("field", "value"), [("device_name", 7), ("num_threads", "one")])
def test_a_machine_described_by_wrong_types_is_refused(tmp_path: Path, field: str, value: object) -> None:
    write_samples(tmp_path / "a.parquet", Samples(table_of(rows(1.0)), machine(**{field: value})))
    with pytest.raises(ScenarioError, match=f"{field} = {value!r}"):
        read_samples(tmp_path / "a.parquet")


def test_two_machines_are_told_apart_by_more_than_the_day() -> None:
    require_same_machine(machine(), machine(measured_at="2027-01-01T00:00:00+00:00"), "a file")
    with pytest.raises(ScenarioError, match="host_hash a against b"):
        require_same_machine(machine(host_hash="a"), machine(host_hash="b"), "a file")


def test_centres_are_one_row_per_case_without_what_failed() -> None:
    table = table_of([*rows(1.0, 1.0, 1.0, 9.0), *rows(np.nan, size=2, status="failed")])
    found = centres(table)
    assert list(found["seconds"]) == [1.0]
    assert list(found["num_samples"]) == [4]


def test_the_centre_is_blind_to_half_of_the_samples_being_disturbed() -> None:
    times = np.array([1.00, 1.01, 0.99, 1.0, 1.02, 3.0, 2.4, 5.0, 9.0])
    assert centre(times) == pytest.approx(1.0, abs=0.01)
    assert np.median(times) > 1.015


@given(st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=60))
def test_the_densest_half_holds_the_centre_and_half_of_the_samples(times: list[float]) -> None:
    low, high = densest_half(np.array(times))
    assert low * (1 - 1e-12) <= centre(np.array(times)) <= high * (1 + 1e-12)
    assert sum(low <= time <= high for time in times) >= len(times) / 2


def test_the_interval_of_the_centre_covers_it_in_about_95_percent() -> None:
    generator = np.random.Generator(np.random.PCG64(1))
    draws = 1.0 + 0.02 * generator.normal(size=(400, 24))  # symmetric: the centre of ever more samples is 1
    covered = [abs(centre(draw) - 1.0) <= half_width_frac(draw) * centre(draw) for draw in draws]
    assert 0.9 < np.mean(covered) < 0.99


def test_a_few_samples_far_off_do_not_widen_the_interval_of_the_centre() -> None:
    generator = np.random.Generator(np.random.PCG64(1))
    quiet = 1.0 + 0.01 * generator.normal(size=24)
    disturbed = np.concatenate([quiet[:18], generator.uniform(2.0, 9.0, 6)])
    assert half_width_frac(disturbed) < 0.03


def test_times_that_are_none_have_no_centre() -> None:
    assert list(centres(table_of(rows(1.0, np.inf, np.nan)))["num_samples"]) == [1]


def test_few_samples_know_no_interval() -> None:
    assert half_width_frac(np.ones(5)) == np.inf
    assert half_width_frac(np.ones(6)) == 0.0
