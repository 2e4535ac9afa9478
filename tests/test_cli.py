import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import dcsim
from dcsim.cli import app
from dcsim.study.gallery import gallery
from tests.study.scenarios_for_tests import CLUSTER, TINY


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(TINY)
    return tmp_path


def dcsim_cli(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def error_of(result: Result) -> str:
    """The one message of a refused command."""
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return result.stderr


def test_the_report_gives_the_verdict_first():
    result = dcsim_cli("run", "tiny.yaml")
    assert result.exit_code == 0
    lines = [line for line in result.stdout.splitlines() if line]
    assert lines[:2] == ["tiny", "Does it run?"]
    assert lines[2].startswith("chat: MEETS ITS SLO")
    for word in ("TTFT", "output tokens", "where the time goes", "PUE", "per M output tokens", "estimates"):
        assert word in result.stdout


def test_a_piped_report_has_no_colour_and_at_most_one_hundred_columns():
    text = dcsim_cli("run", "tiny.yaml").stdout
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 100


def test_json_is_all_there_is_on_the_standard_output():
    result = dcsim_cli("run", "tiny.yaml", "--json", "--replications", "2", "--seed", "3", "--processes", "1")
    assert json.loads(result.stdout)["num_replications"] == 2


def test_the_number_of_draws_is_set_from_the_command_line():
    drawn, plain = (
        json.loads(dcsim_cli("run", "tiny.yaml", "--json", "--draws", number).stdout) for number in ("3", "0")
    )
    assert drawn["prediction"]["num_draws"] == 3
    assert "prediction" not in plain


def test_quiet_prints_nothing_and_saves_all_the_same():
    result = dcsim_cli("run", "tiny.yaml", "--quiet", "-o", "out", "--trace", "trace.json")
    assert (result.exit_code, result.output) == (0, "")
    assert dcsim.open("out").scenario.name == "tiny"
    assert json.loads(Path("trace.json").read_text())["traceEvents"]


def test_fields_are_set_from_the_command_line():
    result = dcsim_cli(
        "run", "tiny.yaml", "--set", "duration=10 s", "--set", "serving.chat.num_replicas=2", "-o", "out"
    )
    assert result.exit_code == 0
    document = dcsim.open("out").scenario.document
    assert (document["duration"], document["serving"]["chat"]["num_replicas"]) == ("10 s", 2)


def test_a_result_is_overwritten_only_on_demand():
    assert dcsim_cli("run", "tiny.yaml", "-q", "-o", "out").exit_code == 0
    assert "--overwrite" in error_of(dcsim_cli("run", "tiny.yaml", "-q", "-o", "out"))
    assert dcsim_cli("run", "tiny.yaml", "-q", "-o", "out", "--overwrite").exit_code == 0


def test_a_trace_and_a_schema_overwrite_a_file_only_on_demand():
    Path("victim.json").write_text("precious")
    for command in (("run", "tiny.yaml", "-q", "--trace"), ("schema", "-o")):
        assert "--overwrite" in error_of(dcsim_cli(*command, "victim.json"))
        assert Path("victim.json").read_text() == "precious"
        assert dcsim_cli(*command, "victim.json", "--overwrite").exit_code == 0
        assert json.loads(Path("victim.json").read_text())
        Path("victim.json").write_text("precious")


def test_a_trace_is_never_written_over_the_scenario():
    assert "must end in .json" in error_of(
        dcsim_cli("run", "tiny.yaml", "--trace", "tiny.yaml", "--overwrite")
    )
    assert Path("tiny.yaml").read_text() == TINY


def test_an_unwritable_place_is_refused_before_the_run(monkeypatch):
    monkeypatch.setattr("dcsim.cli.run_scenario", lambda *_, **__: pytest.fail("it ran"))
    for arguments in (
        ("-o", "tiny.yaml"),
        ("-o", "tiny.yaml/below"),
        ("--trace", "no/such/folder/trace.json"),
    ):
        message = error_of(dcsim_cli("run", "tiny.yaml", *arguments))
        assert "Choose another" in message


def test_all_problems_are_told_at_once():
    message = error_of(dcsim_cli("run", "tiny.yaml", "--set", "seed=-1", "--set", "clutser.num_nodes=2"))
    assert "2 problems" in message
    assert "seed" in message
    assert "clutser" in message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "azure-con"), "azure-conv"),
        (("run", "tiny.yaml", "--set", "seed"), "seed"),
        (("run", "tiny.yaml", "--set", "serving.chat.model=llama-3.1-405b"), "infeasible"),
        (("check", "tiny.yaml", "missing.yaml"), "missing.yaml"),
        (("estimate", "azure-con"), "azure-conv"),
        (("estimate", "tiny.yaml", "--set", "serving.chat.model=llama-3.1-405b"), "infeasible"),
        (("run", "tiny.yaml", "--seed", "99999999999999999999"), "--seed"),
        (("check", "tiny.yaml", "--set", "serving.chat.precision=fp4"), "Did you mean 'nvfp4'?"),
        (("check", "tiny.yaml", "--set", "facility.pue=nan"), "Write for example 1.2 or 120 %"),
        (("catalog", "acelerators"), "accelerators"),
        (("catalog", "nodes", "dgx-h10"), "dgx-h100"),
        (("catalog", "traffic", "azure-con"), "azure-con"),
        (("schema", "-o", "no/such/folder/schema.json"), "schema.json"),
        (("compare", "tiny.yaml"), "Give one more"),
        (("compare", *["tiny.yaml"] * 9), "2 to 8 results"),
        (("compare", "tiny.yaml", "tiny.yaml", "--baseline", "3"), "Choose one of them"),
        (("compare", "tiny.yaml", "missing.yaml"), "missing.yaml"),
    ],
)
def test_a_wrong_command_is_answered_with_what_would_be_right(arguments: tuple[str, ...], words: str):
    result = dcsim_cli(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_an_estimate_needs_no_run():
    result = dcsim_cli("estimate", "tiny.yaml", "--set", "serving.chat.num_replicas=2")
    assert result.exit_code == 0
    assert "of capacity" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 100


def test_an_estimate_as_json_is_all_there_is_on_the_standard_output():
    found = json.loads(dcsim_cli("estimate", "tiny.yaml", "--json").stdout)
    assert found["serving"]["chat"]["ttft_s"] > 0
    assert found["usd_per_million_output_tokens"] > 0


def test_check_names_the_scenarios_that_are_sound():
    result = dcsim_cli("check", "tiny.yaml", *gallery())
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [f"{name}: ok" for name in ("tiny.yaml", *gallery())]


def test_check_names_the_scenario_that_cannot_be_and_goes_on():
    result = dcsim_cli("check", "tiny.yaml", "moe-closed-loop", "--set", "cluster.node=l40s-4x")
    assert result.exit_code == 2
    assert result.stdout == "tiny.yaml: ok\n"
    assert result.stderr.startswith("moe-closed-loop: infeasible: serving needs 8 accelerators")


def test_a_saved_result_can_be_checked_and_run_again():
    dcsim_cli("run", "tiny.yaml", "--set", "seed=11", "-q", "-o", "out")
    assert dcsim_cli("check", "out", "out/scenario.yaml").stdout == "out: ok\nout/scenario.yaml: ok\n"
    again = dcsim_cli("run", "out", "--json").stdout
    assert again.encode() == Path("out/summary.json").read_bytes()


def test_a_saved_result_is_compared_with_a_scenario_that_is_run():
    dcsim_cli("run", "tiny.yaml", "-q", "-o", "out")
    Path("b200.yaml").write_text("base: tiny.yaml\ncluster: {node: dgx-b200}\n")
    text = dcsim_cli("compare", "out", "b200.yaml", "--baseline", "2").stdout
    assert "#2 tiny: node dgx-b200 (baseline)" in text
    assert "Both meet the SLO." in text
    found = json.loads(dcsim_cli("compare", "out", "b200.yaml", "--json").stdout)
    assert (found["baseline"], found["labels"]) == (0, ["tiny: node dgx-h100", "tiny: node dgx-b200"])


def test_compared_scenarios_take_settings():
    arguments = ("compare", "tiny.yaml", "tiny.yaml", "--set", "duration=10 s", "--json", "--processes", "1")
    found = json.loads(dcsim_cli(*arguments).stdout)
    assert {one["significance"] for row in found["rows"] for one in row["differences"]} == {"within_noise"}


def test_a_scheduler_that_the_scenario_leaves_out_can_be_limited():
    result = dcsim_cli("run", "tiny.yaml", "--json", "--set", "serving.chat.scheduler.max_num_seqs=1")
    assert json.loads(result.stdout)["serving"]["chat"]["batch_size"]["mean"] == 1.0


def test_of_very_many_problems_the_first_are_told():
    Path("bomb.yaml").write_text("a: &a 1\n" + "".join(f"k{number}: *a\n" for number in range(200)))
    lines = error_of(dcsim_cli("check", "bomb.yaml")).splitlines()
    assert lines[0] == "error: 201 problems"
    assert (len(lines), lines[-1]) == (52, "and 151 more")


def test_the_schema_is_json():
    assert json.loads(dcsim_cli("schema").stdout)["properties"]["serving"]
    assert dcsim_cli("schema", "-o", "schema.json").stdout == ""
    assert json.loads(Path("schema.json").read_text())["properties"]["serving"]


def test_the_catalogue_shows_values_with_sources_and_estimates():
    assert "accelerators" in dcsim_cli("catalog").stdout
    assert "dgx-h100" in dcsim_cli("catalog", "nodes").stdout
    text = dcsim_cli("catalog", "nodes", "dgx-h100").stdout
    assert "source:" in text
    assert "estimate:" in text
    assert "cox_ou" in dcsim_cli("catalog", "traffic", "azure-conv-2023").stdout


def test_every_scenario_of_the_gallery_asks_a_question():
    text = dcsim_cli("scenarios").stdout
    for name in gallery():
        assert name in text
    assert text.count("?") >= len(gallery())


def test_the_version_is_told():
    assert dcsim_cli("--version").stdout == f"dcsim {dcsim.__version__}\n"


def test_an_interrupt_is_one_line_and_code_130(monkeypatch):
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dcsim.cli.run_scenario", interrupt)
    result = dcsim_cli("run", "tiny.yaml", "-o", "out")
    assert (result.exit_code, result.stderr.count("\n")) == (130, 1)
    assert not Path("out").exists()


def test_an_interrupt_after_the_result_was_saved_says_so(monkeypatch):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dcsim.cli.write_chrome_trace", interrupt)
    result = dcsim_cli("run", "tiny.yaml", "-o", "out", "--trace", "trace.json")
    assert (result.exit_code, result.stderr) == (130, "interrupted, but saved: out\n")
    assert dcsim.open("out").scenario.name == "tiny"


@pytest.mark.parametrize(
    ("error", "words"),
    [(MemoryError(), "memory"), (OSError(errno.ENOSPC, "No space left on device"), "No space left")],
)
def test_a_machine_that_refuses_is_one_line_and_code_2(error: BaseException, words: str, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("dcsim.cli.run_scenario", refuse)
    message = error_of(dcsim_cli("run", "tiny.yaml"))
    assert (words in message, message.count("\n")) == (True, 1)


def in_a_process(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), **options.pop("env", {})}
    command = [sys.executable, "-m", "dcsim", *arguments]
    return subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True, **options)


def test_a_terminal_without_unicode_gets_question_marks():
    env = {"PYTHONIOENCODING": "ascii"}
    done = in_a_process("run", "tiny.yaml", "--processes", "1", env=env, stdout=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, "")
    assert "TTFT ? 500 ms" in done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is there on Linux")
@pytest.mark.parametrize("arguments", [("catalog",), ("schema",), ("--help",), ("--version",)])
def test_a_full_disk_is_one_line_and_code_2(arguments: tuple[str, ...]):
    with Path("/dev/full").open("w") as full:
        done = in_a_process(*arguments, stdout=full)
    assert (done.returncode, done.stderr) == (2, "error: No space left on device\n")


@pytest.mark.skipif(os.name != "posix", reason="pipes break otherwise elsewhere")
def test_a_reader_who_has_had_enough_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    done = in_a_process("catalog", "accelerators", stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_interrupt_while_the_command_line_loads_is_one_line_and_code_130():
    script = "import sys; sys.modules['dcsim.cli'] = None\nimport dcsim.__main__ as entry, builtins\n"
    script += "real = builtins.__import__\n"
    script += "def load(name, *rest):\n    if name == 'dcsim.cli': raise KeyboardInterrupt\n"
    script += "    return real(name, *rest)\nbuiltins.__import__ = load\nentry.main()\n"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "interrupted: nothing was saved\n")


SAYS_WHEN_IT_RUNS = """
import signal
from contextlib import contextmanager
from dcsim import cli

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background

@contextmanager
def bar(*_, **__):
    yield lambda fraction: print("running", flush=True)

cli.progress_bar = bar
cli.main()
"""


@pytest.mark.parametrize("processes", ["1", "2"])
def test_an_interrupt_in_mid_run_is_one_line_and_leaves_nothing(processes: str):
    arguments = ["run", "tiny.yaml", "--set", "duration=20 h", "--replications", "2", "-o", "out"]
    with subprocess.Popen(
        [sys.executable, "-c", SAYS_WHEN_IT_RUNS, *arguments, "--processes", processes],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        os.killpg(process.pid, signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (130, "interrupted: nothing was saved\n")
    assert [path.name for path in Path().iterdir()] == ["tiny.yaml"]


@pytest.fixture
def cluster_file() -> str:
    Path("cluster.yaml").write_text(CLUSTER)
    return "cluster.yaml"


def test_a_run_without_serving_is_reported_saved_and_traced(cluster_file):
    result = dcsim_cli("run", cluster_file, "-o", "out", "--trace", "trace.json", "--processes", "1")
    assert result.exit_code == 0
    assert "pretrain: NOT FINISHED" in result.stdout
    assert dcsim.open("out").series["training"]["pretrain"]["spans"]["kind"]
    names = {event["name"] for event in json.loads(Path("trace.json").read_text())["traceEvents"]}
    assert {"productive", "restore", "process_name"} <= names


def test_a_training_job_is_estimated(cluster_file):
    found = json.loads(dcsim_cli("estimate", cluster_file, "--json").stdout)
    assert 0.0 < found["training"]["pretrain"]["mfu_frac"] < 1.0
    assert "MFU" in dcsim_cli("estimate", cluster_file).stdout


def test_plans_of_a_training_job_are_ranked(cluster_file):
    result = dcsim_cli("strategies", cluster_file, "--top", "2", "--json")
    assert result.exit_code == 0
    assert len(json.loads(result.stdout)["strategies"]) == 2
    assert "plans fit in memory" in dcsim_cli("strategies", cluster_file, "--job", "pretrain").stdout


SWEEP = ("training.pretrain.kind=sweep", "training.pretrain.sweep={trials: 4, concurrent: 4}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("strategies", "tiny.yaml"), "trains nothing"),
        (("strategies", "cluster.yaml", "--job", "pretrian"), "Did you mean 'pretrain'?"),
        (("estimate", "cluster.yaml", "--set", "training={}"), "neither serving nor training"),
        (("estimate", "cluster.yaml", "--set", "training.pretrain.model=llama-3.1-405b"), "infeasible"),
        (("check", "cluster.yaml", "--set", "training.pretrain.model=llama-3.1-405b"), "overflows"),
        (("check", "cluster.yaml", "--set", "training.pretrain.checkpoint.store=fats"), "fast"),
        (("check", "cluster.yaml", "--set", "reliability.node_mtbf='1 s'"), "nodes fail every 100 ms"),
        (
            ("check", "cluster.yaml", "--set", SWEEP[0], "--set", SWEEP[1]),
            "needs 16 nodes, but of the cluster's 10",
        ),
    ],
)
def test_what_is_wrong_with_a_training_job_is_one_message(cluster_file, arguments, message):
    assert message in dcsim_cli(*arguments).stderr
    assert dcsim_cli(*arguments).exit_code == 2
