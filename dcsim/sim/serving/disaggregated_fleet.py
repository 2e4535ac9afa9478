"""A fleet with disaggregated prefill: a pool of replicas computes prompts, another decodes.

The engines that decode come first, those that compute prompts are numbered after them. The router of each
pool chooses when a request comes to it: to the first on arrival, to the second with its first token.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import simpy

from dcsim.formulas.kv_transfer import kv_transfer_bytes
from dcsim.sim.requests import RequestStream
from dcsim.sim.serving.active_request import ActiveRequest, Handoff
from dcsim.sim.serving.decode_engine import DecodeEngine
from dcsim.sim.serving.engine import Engine
from dcsim.sim.serving.fleet import Fleet, engine_options
from dcsim.sim.serving.kv_carrier import KvCarrier, Seat
from dcsim.sim.serving.log import Integers, KvTransferLog
from dcsim.sim.serving.prefill_engine import PrefillEngine
from dcsim.sim.serving.replica_pool import ReplicaPool
from dcsim.sim.serving.timer import StepTimer
from dcsim.sim.streams import Streams
from dcsim.spec.deployment import ServingDeployment
from dcsim.tables import ServingTables


class DisaggregatedFleet(Fleet):
    """All replicas of one model, of both pools. ``connect`` it before it starts."""

    def __init__(
        self,
        environment: simpy.Environment,
        deployment: ServingDeployment,
        stream: RequestStream,
        streams: Streams,
        timers: tuple[StepTimer, StepTimer],
        *,
        duration_s: float | None,
        drain_s: float | None,
        is_stepwise: bool,
    ) -> None:
        prefill = deployment.prefill
        assert prefill is not None
        self._transfers = KvTransferLog()
        room = deployment.num_blocks_per_lane * deployment.block_size
        told = engine_options(prefill, stream.num_prefix_tokens, is_stepwise=is_stepwise)
        self._prefill_options = replace(told, decode_room_tokens=room)
        timer, self._prefill_timer = timers
        super().__init__(
            environment,
            deployment,
            stream,
            streams,
            timer,
            duration_s=duration_s,
            drain_s=drain_s,
            is_stepwise=is_stepwise,
        )
        outstanding, rng = self._logs.num_outstanding, streams[f"{deployment.name}.decode_router"]
        self._decode_pool = ReplicaPool(deployment, 0, outstanding, rng)
        self._pool = ReplicaPool(prefill, deployment.num_engines, outstanding, self._rng)
        self._carrier: KvCarrier | None = None
        self._seats: list[Seat] = []  # of each engine: those of its replica

    def connect(self, carrier: KvCarrier, first_accelerator: int) -> None:
        """The way of KV caches, and the first accelerator of the fleet, which is packed from there on."""
        self._carrier, at = carrier, first_accelerator
        for pool in self._deployment.pools:
            size, per_node = pool.accelerators_per_replica, pool.node.num_accelerators
            for _ in range(pool.num_replicas):
                self._seats += [Seat(at, size, per_node)] * pool.num_lanes
                at += size

    def finish(self) -> ServingTables:
        """End the simulation and return what was written."""
        return replace(super().finish(), kv_transfers=self._transfers.table())

    def _replica_of(self, engine: Integers) -> Integers:
        decode, prefill = self._decode_pool.deployment, self._pool.deployment
        beyond = decode.num_replicas + (engine - decode.num_engines) // prefill.num_lanes
        return np.where(engine < decode.num_engines, engine // decode.num_lanes, beyond).astype(np.int32)

    def _new_engine(self, number: int) -> Engine:
        if number >= self._deployment.num_engines:
            source = PrefillEngine(number, self._prefill_options, self._prefill_timer, self._logs)
            source.on_prefilled = self._choose_decoder
            return source
        options = replace(self._options, num_prefix_blocks=0, admission_interval=1, admission_wait=0)
        engine = DecodeEngine(number, options, self._timer, self._logs, self._transfers)
        engine.on_admitted, engine.on_dropped = self._send, self._release
        return engine

    def _choose_decoder(self, request: ActiveRequest, handoff: Handoff) -> None:
        """A prompt has been computed: its request goes to a replica that decodes."""
        index, now_s = request.index, handoff.prefilled_at_s
        number = self._decode_pool.choose(index)
        assert number is not None
        self._logs.num_outstanding[number] += 1
        self._logs.requests.engine[index] = number
        self._logs.requests.prefill_engine[index] = handoff.source
        self._decoder(number).hand_over(_moved(request, handoff), now_s)
        self._wake_later(number)

    def _send(self, request: ActiveRequest, number: int, now_s: float) -> None:
        """There is room for a request: its KV cache is sent."""
        handoff, carrier = request.handoff, self._carrier
        assert handoff is not None
        assert carrier is not None
        num_bytes = kv_transfer_bytes(self._deployment.deployment, request.num_prompt_tokens)
        engines = handoff.source, number
        handoff.row = self._transfers.add(request.index, engines, num_bytes, handoff.prefilled_at_s, now_s)
        source, destination = (self._seats[one] for one in engines)

        def arrive(at_s: float) -> None:
            self._transfers.end(handoff.row, at_s)
            self._release(handoff, at_s)
            handoff.is_here = True
            self._decoder(number).hand_over(request, at_s)
            self._wake_later(number)

        label = f"KV {self._deployment.name}"
        carrier.send(source, destination, num_bytes, label=label, at_s=now_s, on_arrival=arrive)

    def _release(self, handoff: Handoff, now_s: float) -> None:
        """The blocks of a prompt are free where it was computed."""
        engine = self._engines[handoff.source]
        assert isinstance(engine, PrefillEngine)
        engine.release(handoff, now_s)
        self._wake_later(handoff.source)

    def _decoder(self, number: int) -> DecodeEngine:
        engine = self._engines[number]
        assert isinstance(engine, DecodeEngine)
        return engine


def _moved(request: ActiveRequest, handoff: Handoff) -> ActiveRequest:
    """The request as it comes to the replica that decodes: its prompt is computed, and one token produced."""
    moved = ActiveRequest(request.index, request.num_prompt_tokens, request.num_output_tokens, prefix=-1)
    moved.num_computed_tokens = request.num_prompt_tokens
    moved.num_generated_tokens = request.num_generated_tokens
    moved.deadline_s, moved.last_token_at_s = request.deadline_s, request.last_token_at_s
    moved.handoff = handoff
    return moved
