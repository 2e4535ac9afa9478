"""Drives a whole fleet, engines and router, with a timer and arrivals of the test's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import simpy

from dcsim.policies.router import Router
from dcsim.sim.requests import RequestStream
from dcsim.sim.serving.fleet import Fleet
from dcsim.sim.streams import Streams
from dcsim.spec.deployment import ServingDeployment, resolve_deployment
from dcsim.spec.loader import load
from dcsim.tables import ServingTables
from tests.sim.drive import LONG_AFTER_S, SCHEDULERS, EngineTimer
from tests.sim.twin import Arrival, Timer, TwinOptions

SCENARIO = """\
name: small
cluster: {node: dgx-h100, num_nodes: 1}
duration: 1 min
serving:
  chat:
    model: llama-3.1-8b
    engine: {base: vllm, asynchronous_scheduling: false}
    num_replicas: 1
    traffic:
      arrivals: {policy: poisson, rate: 4 /s}
      lengths: {policy: fixed, prompt: 100, output: 10}
"""


@cache
def some_deployment() -> ServingDeployment:
    return resolve_deployment(load(SCENARIO), "chat")


def deployment(options: TwinOptions, router: Router, num_replicas: int, num_lanes: int) -> ServingDeployment:
    """A deployment with just these rules."""
    engine = some_deployment().engine
    looks = {"admission_interval": options.admission_interval, "admission_wait": options.admission_wait}
    return replace(
        some_deployment(),
        engine=engine.model_copy(update={"has_asynchronous_scheduling": options.is_asynchronous}),
        num_replicas=num_replicas,
        num_lanes=num_lanes,
        scheduler=SCHEDULERS[options.scheduler].model_validate(looks),
        max_num_seqs=options.max_num_seqs,
        max_num_batched_tokens=options.max_num_batched_tokens,
        num_watermark_blocks=options.num_watermark_blocks,
        block_size=options.block_size,
        num_blocks_per_lane=options.num_blocks,
        has_prefix_caching=options.num_prefix_tokens > 0,
        max_model_len=options.max_model_len,
        request_overhead_s=options.overhead_s,
        router=router,
        max_queue=options.max_queue,
        request_timeout_s=options.timeout_s,
    )


def run_fleet(
    options: TwinOptions,
    timer: Timer,
    arrivals: Sequence[Arrival],
    router: Router,
    *,
    num_replicas: int,
    num_lanes: int = 1,
    seed: int = 1,
    is_stepwise: bool = False,
) -> ServingTables:
    """Take a fleet through all arrivals until nothing is left to do."""
    columns = list(zip(*arrivals, strict=True))
    stream = RequestStream(
        np.array(columns[0], dtype=np.float64),
        *(np.array(column, dtype=np.int64) for column in columns[1:]),
        num_prefix_tokens=options.num_prefix_tokens,
    )
    environment = simpy.Environment()
    fleet = Fleet(
        environment,
        deployment(options, router, num_replicas, num_lanes),
        stream,
        Streams(seed, 0),
        EngineTimer(timer),
        duration_s=None,
        drain_s=LONG_AFTER_S,
        is_stepwise=is_stepwise,
    )
    fleet.start()
    environment.run()
    fleet.advance(LONG_AFTER_S)
    assert fleet.is_done
    return fleet.finish()
