"""What people upload stays in the session's folder, is small, and is what its name says."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim import ScenarioError
from dcsim.app.draft import check
from dcsim.app.uploads import MAX_FILES, Upload, safe_name, save

TRACE = b"arrived_at_s,num_prompt_tokens,num_output_tokens\n0,10,10\n1,10,10\n"


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd.csv",
        "..\\..\\windows\\system.csv",
        "/etc/cron.d/x.csv",
        "a/../../b.csv",
        ".hidden.csv",
        "a\0b.csv",
        "<script>alert(1)</script>.csv",
        "$(reboot).csv",
        "x" * 5_000 + ".csv",
        "名字.csv",
        " .csv",
    ],
)
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    home = tmp_path / "home"
    path = save(Upload(name, TRACE), home)
    assert path.parent == home
    assert [found.parent for found in tmp_path.rglob("*.csv")] == [home]
    assert not set(path.name) & set("<>$()/\\\0 ")


@given(st.text(max_size=200))
def test_a_safe_name_is_one_harmless_part(name: str) -> None:
    safe = safe_name(name)
    assert safe not in ("", ".", "..")
    assert not safe.startswith(".")
    assert Path(safe).name == safe
    assert len(safe) < 300


@pytest.mark.parametrize("name", ["a.exe", "a.py", "a.html", "a.zip", "a", "a.csv.exe", "a.yaml.gz"])
def test_other_kinds_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ScenarioError, match="kind"):
        save(Upload(name, b"x"), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "num_bytes"), [("a.yaml", 1_000_001), ("a.csv", 64_000_001), ("a.json", 100_000_000)]
)
def test_what_is_too_large_is_refused(tmp_path: Path, name: str, num_bytes: int) -> None:
    with pytest.raises(ScenarioError, match="too large"):
        save(Upload(name, b"a" * num_bytes), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"\x00\x01\x02"),
        ("a.yaml", b"\xff\xfe\x00"),
        ("a.csv", b"\xc3\x28"),
        ("a.parquet", TRACE),
        ("a.parquet", b"PAR1 and no more"),
        ("a.npz", TRACE),
        ("a.csv", b""),
    ],
)
def test_what_belies_its_name_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    with pytest.raises(ScenarioError):
        save(Upload(name, content), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_parquet_file_that_blows_up_is_refused(tmp_path: Path) -> None:
    stream = io.BytesIO()
    column = pyarrow.array(np.zeros(20_000_000))
    schema = pyarrow.schema([(f"c{number}", pyarrow.float64()) for number in range(16)])
    with pyarrow.parquet.ParquetWriter(stream, schema, compression="zstd", use_dictionary=False) as writer:
        writer.write_table(pyarrow.Table.from_arrays([column] * 16, schema=schema))
    assert len(stream.getvalue()) < 64_000_000
    with pytest.raises(ScenarioError, match="unpacked"):
        save(Upload("bomb.parquet", stream.getvalue()), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_residuals_that_blow_up_are_refused_by_the_scenario(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("gemm.bf16/log_ratios.npy", b"\0" * 300_000_000)
    save(Upload("bomb.npz", stream.getvalue()), tmp_path)
    save(Upload("bad.yaml", b"base: h100-sxm\nresiduals: bomb.npz\n"), tmp_path)
    text = """
name: chat
cluster: {node: dgx-h100, num_nodes: 1}
serving:
  chat:
    model: llama-3.1-8b
    engine: vllm
    efficiency: bad.yaml
    num_replicas: 1
    traffic: {arrivals: {policy: poisson, rate: 1 /s}, lengths: {policy: fixed, prompt: 10, output: 10}}
"""
    found = check(text, tmp_path)
    assert found.problems
    assert not found.can_run


def test_a_session_keeps_so_many_files(tmp_path: Path) -> None:
    for number in range(MAX_FILES):
        save(Upload(f"{number}.csv", TRACE), tmp_path)
    with pytest.raises(ScenarioError, match="too many"):
        save(Upload("more.csv", TRACE), tmp_path)
    assert save(Upload("0.csv", TRACE), tmp_path).exists()


@given(st.binary(max_size=400))
def test_any_bytes_as_a_scenario_are_refused_or_read(content: bytes) -> None:
    text = content.decode("utf-8", errors="replace")
    found = check(text, Path("/nonexistent"))
    assert found.problems or found.scenario is not None


@pytest.mark.parametrize(
    "text",
    [
        "a: &x [1, 2]\nb: *x\n",
        "{{{{",
        "- " * 5_000,
        "[" * 5_000,
        "name: !!python/object/apply:os.system [id]\n",
        "name: \u202eevil\nserving: 5\n",
        "? [a]\n: b\n",
        "name: <script>alert(1)</script>\n",
        "\n" * 10,
        "",
    ],
)
def test_malformed_scenarios_are_refused_with_their_line(text: str) -> None:
    found = check(text, Path("/nonexistent"))
    assert found.problems
    assert all("Traceback" not in str(problem) for problem in found.problems)
