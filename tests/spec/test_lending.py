"""The lending of served models: what contradicts it."""

from __future__ import annotations

import pytest

import dcsim
from dcsim.errors import ScenarioError
from dcsim.spec.lending import Lending, lends

WINDOW = {"start": "1 h", "duration": "8 h", "every": "24 h", "replicas": 4}


def scenario(lending: object, **changes: object) -> dcsim.Scenario:
    document: dict[str, object] = {
        "name": "lends",
        "duration": "1 h",
        "cluster": {"node": "dgx-h100", "num_nodes": 2, "storage": {"fs": "lustre-flash"}},
        "serving": {
            "chat": {
                "model": "llama-3.1-8b",
                "engine": "vllm",
                "num_replicas": 8,
                "lending": lending,
                "traffic": {
                    "arrivals": {"policy": "poisson", "rate": "1 /s"},
                    "lengths": {"policy": "fixed", "prompt": 100, "output": 10},
                },
            }
        },
        "jobs": {"arrivals": {"policy": "poisson", "rate": "10 /h", "duration_mean": "1 h"}},
    }
    return dcsim.load(document, overrides=changes)


def test_a_scenario_lends_if_one_of_its_models_does() -> None:
    assert lends(scenario({"idle": [WINDOW]}))
    assert lends(scenario({"autoscaler": "by_load"}))
    assert not lends(scenario(None))


@pytest.mark.parametrize(
    ("lending", "changes", "path", "message"),
    [
        ({}, {}, "lending", "give idle windows, an autoscaler or both"),
        ({"idle": [{**WINDOW, "replicas": 8}]}, {}, "idle.0.replicas", "must be less than the 8 replicas"),
        ({"idle": [{**WINDOW, "every": "8 h"}]}, {}, "idle.0", "every must be longer than duration"),
        ({"autoscaler": {"policy": "by_load", "least": 9}}, {}, "least", "must be at most the 8 replicas"),
        ({"idle": [WINDOW]}, {"jobs": None}, "lending", "there is nobody to lend to"),
        ({"idle": [WINDOW]}, {"serving.chat.weights": "fz"}, "weights", "no store of that name"),
    ],
)
def test_contradictions_are_named_with_their_place(
    lending: object, changes: dict[str, object], path: str, message: str
) -> None:
    with pytest.raises(ScenarioError) as caught:
        scenario(lending, **changes)
    (problem,) = caught.value.problems
    assert message in str(problem)
    assert path in str(problem)


def test_jobs_with_nodes_of_their_own_cannot_borrow(tmp_path) -> None:
    nodes = tmp_path / "nodes.csv"
    nodes.write_text("sn,cpu_milli,memory_mib,gpu,model\na,96000,100000,8,H100\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match="nodes of their own"):
        scenario({"idle": [WINDOW]}, **{"jobs.node_list": str(nodes)})


def test_windows_are_read_in_seconds() -> None:
    (window,) = Lending.model_validate({"idle": [WINDOW]}).idle
    assert (window.start_s, window.duration_s, window.every_s) == (3600.0, 28_800.0, 86_400.0)
