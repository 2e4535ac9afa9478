from pathlib import Path

import pytest

from dcsim.errors import InfeasibleError, ScenarioError
from dcsim.study import saved_or_run as module
from dcsim.study.run import run
from dcsim.study.saved_or_run import saved_or_run
from tests.study.scenarios_for_tests import TINY, tiny


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(TINY)
    return tmp_path


@pytest.mark.usefixtures("place")
def test_a_saved_result_is_opened_and_a_scenario_is_run():
    saved = run(tiny(seed=3), num_processes=1)
    saved.save("out")
    told: list[float] = []
    opened, ran = saved_or_run(["out", "tiny.yaml"], overrides={}, num_processes=1, on_progress=told.append)
    assert opened.summary_text() == saved.summary_text()
    assert ran.summary_text() == run(tiny(), num_processes=1).summary_text()
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0)


@pytest.mark.usefixtures("place")
def test_nothing_can_be_set_in_a_saved_result():
    run(tiny(), num_processes=1).save("out")
    with pytest.raises(ScenarioError, match=r"scenario\.yaml"):
        saved_or_run(["out"], overrides={"seed": 3})
    (again,) = saved_or_run(["out/scenario.yaml"], overrides={"seed": 3}, num_processes=1)
    assert again.scenario.seed == 3


@pytest.mark.usefixtures("place")
def test_a_system_that_cannot_be_is_named_before_anything_runs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "run", lambda *_, **__: pytest.fail("it ran"))
    Path("big.yaml").write_text("base: tiny.yaml\nserving: {chat: {model: llama-3.1-405b}}\n")
    with pytest.raises(InfeasibleError, match=r"^big\.yaml: serving\.chat"):
        saved_or_run(["tiny.yaml", "big.yaml"], overrides={})
