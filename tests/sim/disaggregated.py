"""Drives a disaggregated fleet, or its naive twin, with timers and transfer times of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import sin
from typing import Any

import numpy as np
import pytest
import simpy

from dcsim.formulas.kv_transfer import kv_transfer_bytes
from dcsim.policies.router import Router
from dcsim.policies.routers.round_robin import RoundRobin
from dcsim.sim.requests import RequestStream
from dcsim.sim.serving.disaggregated_fleet import DisaggregatedFleet
from dcsim.sim.serving.kv_carrier import KvCarrier, Seat
from dcsim.sim.streams import Streams
from dcsim.spec.deployment import ServingDeployment
from dcsim.tables import ServingTables
from tests.sim.agreement import COUNTS, INSTANTS
from tests.sim.drive import LONG_AFTER_S, EngineTimer
from tests.sim.fleets import deployment
from tests.sim.twin import Arrival, Timer, TwinOptions
from tests.sim.twin_disaggregated import DisaggregatedTwin


@dataclass(frozen=True)
class Pair:
    """The rules of both pools, their timers and sizes, and how long a KV cache takes."""

    prefill: TwinOptions
    decode: TwinOptions
    timers: tuple[Timer, Timer]
    num_engines: tuple[int, int] = (1, 1)
    latency_s: float = 0.0
    token_s: float = 0.0
    jitter_s: float = 0.0  # by the instant, so that transfers do not end with steps of one length

    def transfer_s(self, num_tokens: int, at_s: float) -> float:
        whole_s = self.latency_s + self.token_s * num_tokens
        return whole_s + self.jitter_s * (1 + sin(1e3 * at_s)) if whole_s else 0.0


class TimedCarrier(KvCarrier):
    """Carries KV caches at the pace of a pair."""

    def __init__(self, environment: simpy.Environment, pair: Pair, bytes_per_token: float) -> None:
        super().__init__(environment, deployment(pair.decode, RoundRobin(), 1, 1).node, None)
        self.pair, self.bytes_per_token = pair, bytes_per_token

    def send(
        self, source: Seat, destination: Seat, num_bytes: float, *,
        label: str, at_s: float, on_arrival: Callable[[float], None],
    ) -> None:  # fmt: skip
        end_s = at_s + self.pair.transfer_s(round(num_bytes / self.bytes_per_token), at_s)
        self._after(end_s).callbacks.append(lambda _: on_arrival(end_s))


def both_pools(pair: Pair, router: Router) -> ServingDeployment:
    prefill = deployment(pair.prefill, router, pair.num_engines[0], 1)
    return replace(deployment(pair.decode, router, pair.num_engines[1], 1), prefill=prefill)


@cache
def bytes_of_a_token() -> float:
    options = TwinOptions(
        scheduler="sarathi", max_num_seqs=1, max_num_batched_tokens=1, num_blocks=1, block_size=1
    )
    return kv_transfer_bytes(deployment(options, RoundRobin(), 1, 1).deployment, 1.0)


def run_pair(
    pair: Pair, arrivals: Sequence[Arrival], *, router: Router | None = None, is_stepwise: bool = False
) -> ServingTables:
    """Take a disaggregated fleet through all arrivals until nothing is left to do."""
    columns = list(zip(*arrivals, strict=True))
    stream = RequestStream(
        np.array(columns[0], dtype=np.float64),
        *(np.array(column, dtype=np.int64) for column in columns[1:]),
        num_prefix_tokens=pair.prefill.num_prefix_tokens,
    )
    environment = simpy.Environment()
    fleet = DisaggregatedFleet(
        environment,
        both_pools(pair, router or RoundRobin()),
        stream,
        Streams(1, 0),
        (EngineTimer(pair.timers[1]), EngineTimer(pair.timers[0])),
        duration_s=None,
        drain_s=LONG_AFTER_S,
        is_stepwise=is_stepwise,
    )
    fleet.connect(TimedCarrier(environment, pair, bytes_of_a_token()), 0)
    fleet.start()
    environment.run()
    fleet.advance(LONG_AFTER_S)
    assert fleet.is_done
    return fleet.finish()


def run_twin(
    pair: Pair, arrivals: Sequence[Arrival]
) -> tuple[dict[str, np.ndarray[Any, Any]], DisaggregatedTwin]:
    """What becomes of each request by the naive twin, in the columns of the table requests."""
    twin = DisaggregatedTwin(pair.prefill, pair.decode, pair.timers, pair.num_engines, pair.transfer_s)
    begun = twin.run(arrivals)
    ended = [twin.moved.get(request.number, request) for request in begun]
    columns: dict[str, np.ndarray[Any, Any]] = {
        "status": np.array([r.status for r in ended]),
        "num_generated_tokens": np.array([r.num_generated_tokens for r in ended]),
        "num_cached_tokens": np.array([r.num_cached_tokens for r in begun]),
        "num_preemptions": np.array(
            [r.num_preemptions + (s.num_preemptions if s is not r else 0) for r, s in zip(begun, ended)]  # noqa: B905
        ),
        "scheduled_at_s": np.array([r.scheduled_at_s for r in begun], dtype=float),
        "first_token_at_s": np.array([r.first_token_at_s for r in begun], dtype=float),
        "finished_at_s": np.array([r.finished_at_s for r in ended], dtype=float),
    }
    return columns, twin


def assert_pair_agrees(pair: Pair, arrivals: Sequence[Arrival]) -> ServingTables:
    """Jumping and stepping engines do what the naive twin does; returns what the jumping ones wrote."""
    truth, twin = run_twin(pair, arrivals)
    for is_stepwise in (True, False):
        tables = run_pair(pair, arrivals, is_stepwise=is_stepwise)
        for name in COUNTS:
            np.testing.assert_array_equal(tables.requests[name], truth[name], err_msg=name)
        for name in INSTANTS:
            np.testing.assert_allclose(tables.requests[name], truth[name], rtol=1e-9, err_msg=name)
        sent = sorted(twin.sent)
        order = np.argsort(tables.kv_transfers["request"], kind="stable")
        np.testing.assert_array_equal(tables.kv_transfers["request"][order], [one[0] for one in sent])
        for name, place in (("started_at_s", 1), ("ended_at_s", 2)):
            np.testing.assert_allclose(
                tables.kv_transfers[name][order], [one[place] for one in sent], rtol=1e-9, err_msg=name
            )
        steps = [step for one in [*twin.sinks, *twin.sources] for step in one.steps]
        assert tables.steps["num_steps"].sum() == len(steps)
        busy_s = sum(step.duration_s for step in steps)
        assert tables.steps["duration_s"].sum() == pytest.approx(busy_s, rel=1e-9)
    return tables
