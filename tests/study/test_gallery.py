from pathlib import Path

import pytest

from dcsim.errors import ScenarioError
from dcsim.study.gallery import find_scenario, gallery, load_scenario
from dcsim.study.run import run
from tests.study.scenarios_for_tests import TINY


def test_a_file_comes_before_a_name_of_the_gallery(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_scenario("azure-conv") == gallery()["azure-conv"]
    Path("azure-conv").touch()
    assert find_scenario("azure-conv") == Path("azure-conv")


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ScenarioError, match="'azure-conv'"):
        find_scenario("azure-con")


@pytest.mark.parametrize("name", [".", "", "\x00", "a" * 5000])
def test_what_cannot_be_a_scenario_is_refused(name: str):
    with pytest.raises(ScenarioError):
        find_scenario(name)


@pytest.mark.parametrize("name", ["out", "out/scenario.yaml"])
def test_a_saved_result_is_run_again_from_anywhere_with_the_files_of_the_original(
    name: str, tmp_path: Path, monkeypatch
):
    home = tmp_path / "home"
    home.mkdir()
    (home / "scenario.yaml").write_text(TINY)
    (home / "trace.csv").write_text("arrived_at_s,num_prompt_tokens,num_output_tokens\n0,300,10\n1,200,20\n")
    original = load_scenario(
        str(home / "scenario.yaml"), overrides={"serving.chat.traffic": {"trace": "trace.csv"}}
    )
    result = run(original, num_processes=1)
    result.save(tmp_path / "elsewhere" / "out")

    monkeypatch.chdir(tmp_path / "elsewhere")
    again = load_scenario(name, overrides={})

    assert again.document == original.document
    assert run(again, num_processes=1).summary_text() == result.summary_text()
