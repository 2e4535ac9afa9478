"""The contract of summary.json is complete, and says nothing that no run writes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dcsim.metrics.contract import BESIDE, declared_keys
from dcsim.metrics.figures import leaves
from dcsim.study.run import run
from tests.study.scenarios_for_tests import small_cluster, tiny

RUNS: dict[str, dict[str, object]] = {
    "owned, two replications": {"replications": 2},
    "with draws of the calibration": {"calibration_draws": 2},
    "with prefill replicas": {
        "cluster.num_nodes": 2,
        "serving.chat.prefill": {"num_replicas": 2},
    },
    "rented": {"economics": {"prices": "on-demand-2026"}},
    "unstable": {"serving.chat.traffic.arrivals": {"policy": "poisson", "rate": "900 /s"}},
    "without facility and economics": {"facility": None, "economics": None},
    "beside scheduled jobs": {
        "cluster.num_nodes": 2,
        "jobs": {"arrivals": {"policy": "poisson", "rate": "1 /s", "duration_mean": "5 s"}},
    },
}
CLUSTERS: dict[str, dict[str, object]] = {
    "one replication": {},
    "two replications": {"replications": 2},
    "with serving that lends a node": {
        "duration": "30 min",
        "cluster.num_nodes": 12,
        "serving": tiny().document["serving"],
        "serving.chat.num_replicas": 16,
        "serving.chat.lending": {"idle": [{"start": "5 min", "duration": "10 min", "replicas": 8}]},
    },
}
NOT_SIMULATED = {"carbon", "cost"}
NAMED = {"serving": "NAME", "training": "NAME", "storage": "STORE"}  # sections of things with names
KEYED = {  # mappings whose keys are names of causes and the like
    "lost_accelerator_h": "CAUSE",
    "num_by_cause": "CAUSE",
    "num_by_effect": "EFFECT",
    "num_by_reason": "REASON",
    "step_parts_s": "CAUSE",
    "memory_bytes": "TERM",
}


def paths_of(summary: dict[str, object]) -> Iterator[str]:
    for path, value in leaves(summary):
        is_below = path[0] in BESIDE and (path[0] != "prediction" or len(path) > 2)
        path = path[1:] if is_below else path  # under the paths of the numbers themselves
        if not (path[0] in NOT_SIMULATED and value is None):
            yield ".".join(generic(list(path)))


def generic(path: list[str]) -> list[str]:
    """A path as the contract writes it: without names of the scenario."""
    if path[0] in NAMED:
        path[1] = NAMED[path[0]]
    if path[1:2] == ["by_workload"]:
        path[2] = "NAME"
    if path[-3:-2] == ["by_queue"]:
        path[-2] = "QUEUE"
    if path[-2:-1] and path[-2] in KEYED:
        path[-1] = KEYED[path[-2]]
    if path[:2] == ["jobs", "by_queue"]:
        path[2] = "QUEUE"
    return path


@pytest.fixture(scope="module")
def written() -> dict[str, set[str]]:
    scenarios = {name: tiny(**overrides) for name, overrides in RUNS.items()}
    scenarios |= {f"cluster, {name}": small_cluster(**overrides) for name, overrides in CLUSTERS.items()}
    return {name: set(paths_of(run(one, num_processes=1).summary)) for name, one in scenarios.items()}


DECLARED = list(declared_keys())


def test_every_key_that_a_run_writes_is_in_the_contract(written: dict[str, set[str]]):
    assert set().union(*written.values()) <= {path for path, _ in DECLARED}


def test_every_key_of_the_contract_is_written_by_some_run(written: dict[str, set[str]]):
    assert {path for path, _ in DECLARED} <= set().union(*written.values())


def test_no_path_is_declared_twice():
    assert len(DECLARED) == len(dict(DECLARED))


@pytest.mark.parametrize(
    ("suffix", "unit"),
    [
        ("_j", "J"),
        ("_w", "W"),
        ("_usd", "USD"),
        ("_frac", "fraction"),
        ("_kg", "kg CO2e"),
        ("_tokens_per_s", "1/s"),
    ],
)
def test_a_path_that_ends_in_a_unit_declares_it(suffix: str, unit: str):
    assert {key.unit for path, key in DECLARED if path.endswith(suffix)} == {unit}
