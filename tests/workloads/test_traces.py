from pathlib import Path

import numpy as np
import pytest

from dcsim.errors import ScenarioError
from dcsim.plugins import policy_class
from dcsim.workloads.trace_format import TraceFormat, recognized_format

AZURE_HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
AZURE_ROWS = [f"2023-11-16 18:15:{second:02d}.6805900,374,44\n" for second in range(40)]
SHARED = Path(__file__).parents[3] / "shared" / "traces" / "azure_llm_2023"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the Azure trace of 2023 is not at ../shared")


def trace_format(policy, **options) -> TraceFormat:
    found = policy_class("dcsim.workloads.traces", policy).model_validate(options)
    assert isinstance(found, TraceFormat)
    return found


def read_text(tmp_path, text, policy="csv", **options):
    path = tmp_path / "trace.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return trace_format(policy, **options).read(path)


def read_azure(tmp_path, rows):
    return read_text(tmp_path, AZURE_HEADER + "".join(rows), "azure_llm_2023")


def with_row(row, number=20):
    return [*AZURE_ROWS[:number], row, *AZURE_ROWS[number + 1 :]]


def test_azure_timestamps_keep_their_seven_fractional_digits(tmp_path):
    trace = read_azure(
        tmp_path, ["2023-11-16 18:15:46.6805900,374,44\n", "2023-11-16 18:15:46.6805901,396,109"]
    )
    assert trace.arrived_at_s.tolist() == pytest.approx([0.0, 1e-7], rel=1e-9)
    assert trace.num_prompt_tokens.tolist() == [374, 396]
    assert trace.num_output_tokens.tolist() == [44, 109]


@pytest.mark.parametrize("suffix", ["Z", "+00:00", "-0530"])
def test_one_offset_from_utc_for_all_rows_is_dropped(tmp_path, suffix):
    rows = [f"2024-05-10T00:00:0{second}.5{suffix},1,1\n" for second in range(3)]
    assert read_azure(tmp_path, rows).arrived_at_s.tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"], ids=["unix", "windows", "old mac"])
def test_all_line_endings_a_byte_order_mark_blank_lines_and_quotes_are_read(tmp_path, ending):
    lines = ["arrived_at_s,num_prompt_tokens,num_output_tokens", '"0.5","10",1', "", "1.5,20,2", ""]
    trace = read_text(tmp_path, b"\xef\xbb\xbf" + ending.join(lines).encode())
    assert trace.arrived_at_s.tolist() == [0.0, 1.0]
    assert trace.num_prompt_tokens.tolist() == [10, 20]


@pytest.mark.parametrize(("unit", "span_s"), [("s", 1500.0), ("ms", 1.5), ("us", 1.5e-3), ("ns", 1.5e-6)])
def test_named_columns_time_units_and_delimiters(tmp_path, unit, span_s):
    options = {
        "time_column": "t",
        "prompt_column": "in",
        "output_column": "out",
        "time_unit": unit,
        "delimiter": ";",
    }
    trace = read_text(tmp_path, "id;out;in;t\n7;1;10;500\n8;2;20;2000\n", **options)
    assert trace.arrived_at_s.tolist() == pytest.approx([0.0, span_s])
    assert trace.num_prompt_tokens.tolist() == [10, 20]
    assert trace.num_output_tokens.tolist() == [1, 2]


def test_dates_in_a_plain_csv_are_recognised(tmp_path):
    trace = read_text(
        tmp_path,
        "when,in,out\n2026-01-31 23:59:59,1,1\n2026-02-01,2,2\n",
        time_column="when",
        prompt_column="in",
        output_column="out",
    )
    assert trace.arrived_at_s.tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("rows", "line", "message"),
    [
        (with_row("2023-11-16 18:15:01.0,374,44\n"), 22, "'TIMESTAMP' goes back in time"),
        (with_row("2023-11-16 18:15:19.7,0,44\n"), 22, "'ContextTokens' must be at least 1"),
        (with_row("2023-11-16 18:15:19.7,5,-3\n"), 22, "'GeneratedTokens' must be at least 1"),
        (with_row("2023-11-16 18:15:19.7,nan,44\n"), 22, "'ContextTokens' must be finite"),
        (with_row("2023-11-16 18:15:19.7,5,inf\n"), 22, "'GeneratedTokens' must be finite"),
        (with_row("2023-11-16 18:15:19.7,5.5,44\n"), 22, "'ContextTokens' must be a whole number"),
        (with_row("2023-11-16 18:15:19.7,3e9,44\n"), 22, "'ContextTokens' must be at most 2147483647"),
        (with_row("2023-11-16 18:15:19.7,,44\n"), 22, "'ContextTokens' is empty"),
        (with_row("2023-11-16 18:15:19.7,many,44\n"), 22, "'ContextTokens' must be a number"),
        (with_row("2023-11-16 18:15:19.7,1,155,44\n"), 22, "has 4 columns, not 3"),
        (with_row("2023-11-16 18:15:61.7,5,44\n"), 22, "'TIMESTAMP' must be a date with a time"),
        (with_row("now,5,44\n"), 22, "'TIMESTAMP' must be a date with a time"),
        (with_row(",5,44\n"), 22, "'TIMESTAMP' must be a date with a time"),
        (with_row("2023-11-16 18:15:19.7+01:00,5,44\n"), 22, "'TIMESTAMP' must be a date with a time"),
        ([*AZURE_ROWS, "\n", "2023-11-16 18:14:00,1,1\n"], 43, "'TIMESTAMP' goes back in time"),
        ([*AZURE_ROWS, "2023-11-16 18:15:59.1,37"], 42, "cut off here"),
        ([*AZURE_ROWS, "2023-11-16 18:15:59.1,37,"], 42, "'GeneratedTokens' is empty"),
        ([*AZURE_ROWS, "2023-11-1"], 42, "cut off here"),
    ],
)
def test_a_bad_row_is_refused_with_its_line(tmp_path, rows, line, message):
    with pytest.raises(ScenarioError) as caught:
        read_azure(tmp_path, rows)
    (problem,) = caught.value.problems
    assert problem.line == line
    assert problem.file == str(tmp_path / "trace.csv")
    assert message in str(problem)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (AZURE_HEADER.encode(), ":1: has a header and no rows"),
        (AZURE_HEADER.encode() + b"\n\n", ":1: has a header and no rows"),
        (b"\x1f\x8b\x08\x00binary\n\xff", ":1: is not a text file"),
        (AZURE_HEADER.encode() + b"2023-11-16 18:15:46,1,1\n\x00\xff", ":3: is not a text file"),
        (b"TIMESTAMP,ContextToken,GeneratedTokens\n2023-11-16,1,1\n", "Did you mean 'ContextToken'?"),
        (b"TIMESTAMP,ContextTokens,ContextTokens,GeneratedTokens\n2023-11-16,1,1,1\n", "appears twice"),
        (b"0.1,5,5\n0.2,6,6\n", "no column 'TIMESTAMP'"),
    ],
)
def test_a_file_that_is_no_trace_is_refused(tmp_path, content, message):
    with pytest.raises(ScenarioError) as caught:
        read_text(tmp_path, content, "azure_llm_2023")
    assert message in str(caught.value)


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(ScenarioError, match="no such file"):
        trace_format("csv").read(tmp_path / "none.csv")
    with pytest.raises(ScenarioError, match="not a regular file"):
        trace_format("csv").read(tmp_path)


def test_instants_and_lengths_need_different_columns(tmp_path):
    with pytest.raises(ScenarioError, match="three different columns"):
        read_text(tmp_path, "t,n\n1,2\n", time_column="t", prompt_column="n", output_column="n")


def parquet_file(tmp_path, times, prompts=(10, 20), outputs=(1, 2)):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {"arrived_at_s": times, "num_prompt_tokens": list(prompts), "num_output_tokens": list(outputs)}
    parquet.write_table(pyarrow.table(columns), tmp_path / "trace.parquet")
    return tmp_path / "trace.parquet"


def test_parquet_traces_hold_numbers_or_timestamps(tmp_path):
    for times in ([5.0, 7.5], np.array(["2026-01-01T00:00:00", "2026-01-01T00:00:02.5"], "datetime64[us]")):
        path = parquet_file(tmp_path, times)
        trace = recognized_format(path).read(path)
        assert trace.arrived_at_s.tolist() == [0.0, 2.5]
        assert trace.num_prompt_tokens.tolist() == [10, 20]


def test_bad_parquet_rows_are_refused_with_their_number(tmp_path):
    path = parquet_file(tmp_path, [5.0, 7.5], outputs=(1, None))
    with pytest.raises(ScenarioError, match="row 2: column 'num_output_tokens' must be finite"):
        recognized_format(path).read(path)
    path = parquet_file(tmp_path, [7.5, 5.0])
    with pytest.raises(ScenarioError, match="row 2: column 'arrived_at_s' goes back in time"):
        recognized_format(path).read(path)
    path = parquet_file(tmp_path, ["a", "b"])
    with pytest.raises(ScenarioError, match="must hold numbers or timestamps, not string"):
        recognized_format(path).read(path)


def test_a_truncated_parquet_file_is_refused(tmp_path):
    path = parquet_file(tmp_path, [5.0, 7.5])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ScenarioError, match="damaged or truncated"):
        recognized_format(path).read(path)
    path.write_bytes(b"hello")
    with pytest.raises(ScenarioError, match="not a parquet file"):
        trace_format("parquet").read(path)


def test_formats_are_told_from_the_beginning_of_the_file(tmp_path):
    texts = {"azure_llm_2023": "\ufeff" + AZURE_HEADER.replace("\n", "\r\n"), "csv": "a,b,c\n1,2,3\n"}
    for policy, text in texts.items():
        (tmp_path / "file").write_text(text)
        assert recognized_format(tmp_path / "file") == trace_format(policy)


@needs_shared
@pytest.mark.parametrize(
    ("name", "num_requests", "span_s", "mean_prompt", "mean_output"),
    [("conv", 19_366, 3501.7, 1155, 211), ("code", 8_819, 3436.0, 2048, 28)],
)
def test_the_azure_traces_have_their_published_statistics(
    name, num_requests, span_s, mean_prompt, mean_output
):
    path = SHARED / f"AzureLLMInferenceTrace_{name}.csv"
    trace = recognized_format(path).read(path)
    assert len(trace.arrived_at_s) == num_requests
    assert trace.arrived_at_s[-1] == pytest.approx(span_s, abs=0.1)
    assert trace.num_prompt_tokens.mean() == pytest.approx(mean_prompt, abs=0.5)
    assert trace.num_output_tokens.mean() == pytest.approx(mean_output, abs=0.5)
