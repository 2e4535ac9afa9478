"""The commands: what starts the server, what warns, and what says how to install what lacks."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import dcsim
from dcsim.app import launch
from dcsim.app.launch import SCRIPT, exposure_warning, is_loopback
from dcsim.cli import app
from tests.app.runs import scenario_text


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "localhost", "::1"])
def test_this_machine_alone_needs_no_warning(host: str, tmp_path: Path) -> None:
    assert is_loopback(host)
    assert exposure_warning(host, {"HOME": str(tmp_path)}) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "10.0.0.1", "dcsim.example.org"])
def test_other_machines_are_warned_of(host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    warning = exposure_warning(host, {"HOME": str(tmp_path)})
    assert warning is not None
    assert "nobody is asked for a password" in warning


def test_with_a_login_the_warning_is_shorter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "secrets.toml").write_text("[auth]\n")
    warning = exposure_warning("0.0.0.0", {"HOME": "/nowhere"})
    assert warning is not None
    assert "password" not in warning


def test_the_command_starts_the_server_as_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("streamlit", reason="the extra dashboard is not installed")
    seen: dict[str, Any] = {}

    def run(command: list[str], *, env: dict[str, str], check: bool) -> subprocess.CompletedProcess[str]:
        seen.update(command=command, workspace=env["DCSIM_WORKSPACE"])
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(launch.subprocess, "run", run)
    options = ["dashboard", "--port", "9000", "--host", "0.0.0.0", "--workspace", str(tmp_path)]
    done = CliRunner().invoke(app, options)
    assert done.exit_code == 0
    assert str(SCRIPT) in seen["command"]
    assert seen["command"][-4:] == ["--server.address", "0.0.0.0", "--server.port", "9000"]
    assert seen["workspace"] == str(tmp_path)
    assert "warning" in done.output


def test_without_the_extra_the_command_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch.importlib.util, "find_spec", lambda name: None)
    done = CliRunner().invoke(app, ["dashboard"])
    assert done.exit_code == 2
    assert "pip install 'dcsim[dashboard]'" in done.output


def test_the_settings_bind_to_this_machine_and_tell_nobody() -> None:
    settings = (SCRIPT.parent / ".streamlit" / "config.toml").read_text(encoding="utf-8")
    assert 'address = "127.0.0.1"' in settings
    assert "gatherUsageStats = false" in settings


def test_a_report_is_written_for_one_result_and_for_two(tmp_path: Path) -> None:
    pytest.importorskip("plotly", reason="the extra dashboard is not installed")
    overrides = {"calibration_draws": 0}
    for kind in ("h100", "b200"):
        scenario = dcsim.load(scenario_text(kind, f"dgx-{kind}"), overrides=overrides)
        dcsim.run(scenario).save(tmp_path / kind)
    for folders in (["h100"], ["h100", "b200"]):
        page = tmp_path / f"{len(folders)}.html"
        arguments = ["report", *(str(tmp_path / one) for one in folders), "-o", str(page)]
        done = CliRunner().invoke(app, [*arguments, "--language", "zh"])
        assert done.exit_code == 0, done.output
        assert page.read_text(encoding="utf-8").startswith('<!doctype html><html lang="zh">')
        assert CliRunner().invoke(app, arguments).exit_code == 2  # it is there already


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere", "-o", "x.html"], "no dcsim result"),
        (["nowhere", "-o", "x.txt"], ".html"),
        (["nowhere", "-o", "x.html", "--language", "xx"], "no language"),
    ],
)
def test_what_cannot_be_reported_is_refused(
    arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["report", *arguments])
    assert done.exit_code == 2
    assert says in done.output
    assert list(tmp_path.iterdir()) == []
