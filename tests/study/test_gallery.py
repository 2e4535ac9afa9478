from pathlib import Path

import pytest

from dcsim.errors import ScenarioError
from dcsim.study.gallery import find_scenario, gallery


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
