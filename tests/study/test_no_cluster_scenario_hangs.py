"""The watchdog: whatever a small cluster is asked for, the run ends, with results or with the reason why not.

Drawn scenarios mix training, checkpoints, stores, fabrics, scheduled jobs, serving and failures, sensible and
absurd alike. Each runs on a clock that counts its events: more than allowed is a hang.
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
import simpy
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from dcsim.errors import InfeasibleError, ScenarioError
from dcsim.sim import recurrence, simulation
from dcsim.sim.failures import process
from dcsim.spec.loader import load
from dcsim.tables import RunTables

MAX_EVENTS = 400_000
FEW = 300  # failures, saves, outages and the like of one run, in place of the limits of long runs

TIMES = st.sampled_from(["1 ns", "1 s", "1 min", "20 min", "5 h", "30 d", "1e9 s"])
OFTEN = st.sampled_from(["2 min", "1 h", "1 d"])
DURATIONS = st.sampled_from([None, "1 ms", "1 min", "2 h", "1e13 s"])


def maybe(strategy: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """The strategy, or nothing."""
    return st.none() | strategy


def mostly(strategy: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """The strategy, or now and then nothing."""
    return st.integers(0, 3).flatmap(lambda one: strategy if one else st.none())


def section(**fields: object) -> st.SearchStrategy[dict[str, object]]:
    """A section whose fields are drawn, those that are None left out."""
    drawn = {key: one if isinstance(one, st.SearchStrategy) else st.just(one) for key, one in fields.items()}
    return st.fixed_dictionaries(drawn).map(lambda one: {k: v for k, v in one.items() if v is not None})


TRAINING = section(
    model="llama-3.1-8b",
    num_nodes=st.integers(1, 4),
    parallelism=section(tensor=4, pipeline=st.sampled_from([1, 2])),
    batch=st.just({"sequences": 48, "tokens": 4096}),
    steps=st.sampled_from([None, 1, 300, 10**12]),
    start=maybe(TIMES),
    checkpoint=maybe(
        section(
            store=st.sampled_from([None, "shared", "slow"]),
            interval=TIMES | st.just("auto"),
            mode=st.sampled_from(["sync", "async"]),
        )
    ),
    dataset=maybe(section(store=st.sampled_from([None, "shared", "slow"]))),
)
JOBS = section(
    arrivals=section(
        policy="poisson",
        rate=st.sampled_from(["1 /h", "30 /h", "1e12 /s"]),
        duration_mean=TIMES,
        jobs=maybe(st.integers(1, 30)),
        sizes=st.just(
            [{"accelerators": 0.5}, {"accelerators": 2}, {"accelerators": 16}, {"accelerators": 1000}]
        ),
    ),
    scheduler=st.sampled_from(
        ["fifo", "easy_backfill", "conservative_backfill", "fair_share", "elastic", "least_attained_service"]
    ),
    placement=st.sampled_from(["pack", "spread", "fgd", "topology_aware"]),
    preemption=maybe(section(restart=TIMES, checkpoint_interval=TIMES)),
    spot=maybe(section(num_nodes=1, mean_available=TIMES, mean_away=TIMES, notice=maybe(TIMES))),
    maintenance=st.sampled_from(
        [[], [{"start": "1 s", "duration": "1 min", "every": "2 min", "num_nodes": 2}]]
    ),
)
RELIABILITY = section(
    node_mtbf=TIMES,
    node_mttr=maybe(TIMES),
    spares=st.integers(0, 3),
    elastic_shrink=st.booleans(),
    maintenance=st.sampled_from([[], [{"every": "1 min", "duration": "59.9 s"}]]),
    detection=maybe(OFTEN),
)
FABRIC = section(
    topology=st.sampled_from(["leaf_spine", "fat_tree", "rail_optimized", "dragonfly"]),
    routing=st.sampled_from(["ecmp", "static", "spray"]),
    failures=maybe(section(switch_mtbf=maybe(TIMES), cable_mtbf=maybe(TIMES), repair=TIMES)),
)
SLOW = {"base": {"base": "lustre-flash", "read_bandwidth": "1 kB/s", "write_bandwidth": "1e-300 B/s"}}
STORAGE = {"shared": {"base": "lustre-flash", "backup": {"store": "slow", "every": "1 h"}}, "slow": SLOW}
SERVING = section(
    model="llama-3.1-8b",
    engine="vllm",
    num_replicas=st.integers(1, 3),
    traffic=st.just(
        {
            "arrivals": {"policy": "poisson", "rate": "1 /s"},
            "lengths": {"policy": "fixed", "prompt": 100, "output": 20},
            "num_requests": 20,
        }
    ),
)
SCENARIOS = section(
    name="drawn",
    duration=DURATIONS,
    calibration_draws=0,
    cluster=section(
        node="dgx-h100", num_nodes=st.integers(2, 9), fabric=mostly(FABRIC), storage=st.just(STORAGE)
    ),
    training=mostly(TRAINING.map(lambda one: {"a": one})),
    jobs=mostly(JOBS),
    serving=maybe(SERVING.map(lambda one: {"chat": one})),
    reliability=mostly(RELIABILITY),
)


class CountingEnvironment(simpy.Environment):
    """A clock that stops a run without end."""

    num_events = 0

    def step(self) -> None:
        self.num_events += 1
        if self.num_events > MAX_EVENTS:
            pytest.fail(f"still not over after {MAX_EVENTS:,} events, at {self.now:g} s")
        super().step()


@pytest.fixture(autouse=True, scope="module")
def _watched() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulation.simpy, "Environment", CountingEnvironment)
        patch.setattr(recurrence, "MAX_OCCURRENCES", FEW)
        patch.setattr(process, "MAX_FAILURES", FEW)
        yield


@settings(max_examples=150, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(SCENARIOS)
def test_every_cluster_scenario_ends(document: dict[str, object]) -> None:
    with suppress(ScenarioError, InfeasibleError):  # an answer, too
        _assert_times_add_up(simulation.simulate(load(document), 0))


def _assert_times_add_up(tables: RunTables) -> None:
    """Spans of a job follow each other without gap or overlap, and are no nonsense."""
    spans = tables.cluster.get("training_spans")
    if spans is None:
        return
    starts, lengths = np.asarray(spans["started_at_s"]), np.asarray(spans["duration_s"])
    assert np.isfinite(starts).all()
    assert (lengths >= 0.0).all()
    ends = np.sort(starts) + lengths[np.argsort(starts, kind="stable")]
    assert ends[:-1] == pytest.approx(np.sort(starts)[1:])
