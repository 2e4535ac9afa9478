"""A scenario of a stranger reads files of one folder only, whatever it writes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import dcsim
from dcsim import ScenarioError

TEXT = """
name: chat
cluster: {node: dgx-h100, num_nodes: 1}
serving:
  chat:
    model: MODEL
    engine: vllm
    num_replicas: 8
    traffic: TRAFFIC
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    trace = "arrived_at_s,num_prompt_tokens,num_output_tokens\n0,10,10\n1,10,10\n"
    (folder / "mine.csv").write_text(trace, encoding="utf-8")
    (tmp_path / "secret.csv").write_text(trace, encoding="utf-8")
    (tmp_path / "secret.yaml").write_text("name: secret\n", encoding="utf-8")
    os.symlink(tmp_path / "secret.csv", folder / "link.csv")
    return folder


def text(model: str = "llama-3.1-8b", traffic: str = "{trace: mine.csv}") -> str:
    return TEXT.replace("MODEL", model).replace("TRAFFIC", traffic)


def test_a_file_of_the_folder_may_be_named(home: Path) -> None:
    scenario = dcsim.load(text(), folder=home, confined_to=home)
    assert scenario.serving["chat"].traffic.trace is not None


@pytest.mark.parametrize(
    "traffic",
    [
        "{trace: ../secret.csv}",
        "{trace: {path: ../secret.csv}}",
        "{trace: link.csv}",
        "{trace: /etc/passwd}",
        "{arrivals: {policy: poisson, rate: 1 /s}, lengths: {policy: bootstrap, file: ../secret.csv}}",
        "{arrivals: {policy: poisson, rate: 1 /s}, lengths: {policy: bootstrap, file: /etc/passwd}}",
        '{trace: "mine.csv\\0"}',
    ],
)
def test_no_other_file_may_be_named(home: Path, traffic: str) -> None:
    with pytest.raises(ScenarioError):
        dcsim.load(text(traffic=traffic), folder=home, confined_to=home)


@pytest.mark.parametrize("model", ["../secret.yaml", "/etc/passwd.json", "{base: ../secret.yaml}"])
def test_no_entry_of_another_folder_may_be_named(home: Path, model: str) -> None:
    with pytest.raises(ScenarioError):
        dcsim.load(text(model=model), folder=home, confined_to=home)


@pytest.mark.parametrize("base", ["../secret.yaml", "/etc/hostname"])
def test_no_base_of_another_folder_may_be_named(home: Path, base: str) -> None:
    with pytest.raises(ScenarioError, match="base"):
        dcsim.load(f"base: {base}\n{text()}", folder=home, confined_to=home)


def test_a_file_in_the_working_directory_is_no_way_out(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home.parent)
    with pytest.raises(ScenarioError, match="trace"):
        dcsim.load(text(traffic="{trace: secret.csv}"), folder=home, confined_to=home)
    assert dcsim.load(text(traffic="{trace: secret.csv}"), folder=home)


def test_settings_are_confined_too(home: Path) -> None:
    with pytest.raises(ScenarioError, match="trace"):
        dcsim.load(
            text(),
            overrides={"serving.chat.traffic.trace": "../secret.csv"},
            folder=home,
            confined_to=home,
        )
