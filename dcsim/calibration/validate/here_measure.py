"""The workloads of ``dcsim validate here``, measured with PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from dcsim.calibration.centre import centre, densest_half
from dcsim.calibration.measure.datatype import torch_datatype
from dcsim.calibration.measure.device import Call, Device, DeviceKind
from dcsim.calibration.measure.devices import open_device
from dcsim.calibration.measure.model import Gpt, GptShape, new_optimizer
from dcsim.calibration.measure.timing import Cache, TimingRules, time_call
from dcsim.calibration.measure.torch_import import load_torch
from dcsim.calibration.validate.here_machine import HostOverheads, ServingLimits
from dcsim.calibration.validate.here_table import Measured
from dcsim.calibration.validate.workloads.clock import ProcessorClock
from dcsim.calibration.validate.workloads.data_parallel import DataParallelError, data_parallel_step_s
from dcsim.calibration.validate.workloads.operators import Operator, OperatorCase
from dcsim.calibration.validate.workloads.ragged_gpt import RaggedGpt, host_floor_s, host_overheads
from dcsim.calibration.validate.workloads.serving_loop import Arrival, ServedLoop, ServingLoop
from dcsim.calibration.validate.workloads.shapes import Batch
from dcsim.formulas.datatypes import Datatype

if TYPE_CHECKING:
    from torch import Tensor

_LOOP_RULES = TimingRules(warmup_s=0.2, min_samples=12, max_samples=60, max_s=4.0)
_NUM_PARALLEL_STEPS = 12
_COLD = (Operator.GEMM, Operator.ATTENTION_DECODE)  # weights and caches of real models come from memory


class Measurer(Protocol):
    """Whatever can measure the workloads: a device with PyTorch, or a stand-in."""

    @property
    def device_title(self) -> str:
        """What it calls itself, as in a profile of it."""

    def operator_samples(self, case: OperatorCase, max_s: float) -> list[float]:
        """Times of one operator."""

    def training_step(self, shape: GptShape, datatype: Datatype, batch: Batch) -> Measured:
        """Forward, backward and optimizer, all in one datatype."""

    def prefill(self, shape: GptShape, datatype: Datatype, batch: Batch) -> Measured:
        """Prompts of a batch, and a token sampled for each."""

    def decode(self, shape: GptShape, datatype: Datatype, batch: Batch) -> Measured:
        """One more token for each sequence of a batch; its tokens are those attended to."""

    def data_parallel_step(self, shape: GptShape, batch: Batch) -> Measured:
        """A training step on two processes, each with a batch of its own."""

    def overheads(self, shape: GptShape, datatype: Datatype, limits: ServingLimits) -> HostOverheads:
        """What the serving loop takes beside the model."""

    def serve(
        self, shape: GptShape, datatype: Datatype, limits: ServingLimits, arrivals: Sequence[Arrival]
    ) -> ServedLoop:
        """Serve requests in real time."""


def measured(samples_s: Sequence[float]) -> Measured:
    """The typical time of some samples, and the narrowest interval with half of them."""
    array = np.asarray(samples_s, dtype=float)
    low, high = densest_half(array)
    return Measured(centre(array), low, high, len(array))


class TorchMeasurer:
    """Measures on a device of this machine."""

    def __init__(self, device_name: str | None, *, num_threads: int, max_context_tokens: int) -> None:
        self._torch = load_torch()
        self._device: Device = open_device(device_name, num_threads=num_threads)
        self._num_threads = num_threads
        self._max_context_tokens = max_context_tokens
        self._served: dict[tuple[GptShape, Datatype], RaggedGpt] = {}

    @property
    def device_title(self) -> str:
        """What it calls itself."""
        from dcsim.calibration.measure.machine import describe_machine  # here: pandas

        return describe_machine(self._device).device_name

    def operator_samples(self, case: OperatorCase, max_s: float) -> list[float]:
        """Times of one operator; its inputs in the cache or not, as they are in a model."""
        cache = Cache.COLD if case.operator in _COLD else Cache.WARM
        rules = TimingRules(warmup_s=0.02, min_samples=8, max_s=max_s)
        with self._torch.inference_mode():
            call = _CALLS[case.operator](self, case)
            # in a graph where there is one, as calibration's: the profile tells times at the device's pace
            timing = time_call(self._device, call, rules=rules, cache=cache, is_capturable=True)
            return list(timing.samples_s)

    def training_step(self, shape: GptShape, datatype: Datatype, batch: Batch) -> Measured:
        """Forward, backward and one AdamW step, all in one datatype."""
        name = self._name_of(datatype)
        model = Gpt(shape, device=self._device.name, datatype=name, is_trained=True)
        optimizer = new_optimizer(model.parameters())
        tokens = model.random_tokens(batch.num_sequences, batch.num_tokens + 1)
        return self._loop(lambda: model.train_step(tokens, optimizer))

    def prefill(self, shape: GptShape, datatype: Datatype, batch: Batch) -> Measured:
        """Prompts of a batch, and a token sampled for each."""
        model = self._model(shape, datatype)
        cache = model.new_cache(batch.num_sequences, batch.num_tokens + 1)
        tokens = model.random_tokens(batch.num_sequences, batch.num_tokens)

        def call() -> object:
            cache.lengths = [0] * batch.num_sequences
            return model.sample(model.prefill(tokens, cache))

        return self._loop(call)

    def decode(self, shape: GptShape, datatype: Datatype, batch: Batch) -> Measured:
        """One more token for each sequence of a batch."""
        model = self._model(shape, datatype)
        cache = model.new_cache(batch.num_sequences, batch.num_tokens + 1)
        tokens = model.random_tokens(batch.num_sequences, 1)[:, 0]

        def call() -> object:
            cache.lengths = [batch.num_tokens - 1] * batch.num_sequences
            return model.sample(model.decode(tokens, cache))

        return self._loop(call)

    def data_parallel_step(self, shape: GptShape, batch: Batch) -> Measured:
        """A training step on two processes over gloo, on processors."""
        if self._device.kind is not DeviceKind.CPU:
            raise DataParallelError("two processes are measured on processors only")
        steps = data_parallel_step_s(
            shape,
            batch.num_sequences,
            batch.num_tokens,
            num_steps=_NUM_PARALLEL_STEPS,
            num_threads=self._num_threads,
        )
        return measured(steps)

    def overheads(self, shape: GptShape, datatype: Datatype, limits: ServingLimits) -> HostOverheads:
        """Per step and sequence: the loop's Python, and the calls that attend to sequences one by one."""
        name = self._name_of(datatype)
        found = host_overheads(self._device, shape, name, limits.max_num_seqs)
        if self._device.kind is DeviceKind.CPU:  # the host is the device
            return found
        return replace(found, floor_s=host_floor_s(self._device, shape, name, found))

    def serve(
        self, shape: GptShape, datatype: Datatype, limits: ServingLimits, arrivals: Sequence[Arrival]
    ) -> ServedLoop:
        """Serve requests in real time."""
        key = (shape, datatype)
        if key not in self._served:
            self._served[key] = RaggedGpt(
                self._device,
                shape,
                datatype=self._name_of(datatype),
                num_slots=limits.max_num_seqs,
                max_context_tokens=self._max_context_tokens,
            )
        with closing(ProcessorClock()) as clock:
            loop = ServingLoop(
                self._served[key],
                clock,
                max_num_seqs=limits.max_num_seqs,
                max_num_batched_tokens=limits.max_num_batched_tokens,
            )
            return loop.run(arrivals)

    def _loop(self, call: Call) -> Measured:
        return measured(time_call(self._device, call, rules=_LOOP_RULES).samples_s)

    def _model(self, shape: GptShape, datatype: Datatype) -> Gpt:
        return Gpt(shape, device=self._device.name, datatype=self._name_of(datatype))

    def _name_of(self, datatype: Datatype) -> str:
        return str(torch_datatype(self._torch, datatype)).removeprefix("torch.")

    def _random(self, case: OperatorCase, *sizes: int) -> Tensor:
        tensor: Tensor = self._torch.randn(
            *sizes, device=self._device.name, dtype=torch_datatype(self._torch, case.datatype)
        )
        return tensor

    def _gemm(self, case: OperatorCase) -> Call:
        size = case.size
        inputs = self._random(case, size["num_rows"], size["inner_size"])
        weights = self._random(case, size["num_columns"], size["inner_size"])
        linear = self._torch.nn.functional.linear
        return lambda: linear(inputs, weights)

    def _attention(self, case: OperatorCase) -> Call:
        size = case.size
        is_prompt = case.operator is Operator.ATTENTION_PREFILL
        context = size["chunk_tokens"] if is_prompt else size["context_tokens"]
        heads, kv_heads, width = size["num_heads"], size["num_kv_heads"], size["head_size"]
        query = self._random(case, size["batch"], context if is_prompt else 1, heads, width).transpose(1, 2)
        keys, values = (self._random(case, size["batch"], kv_heads, context, width) for _ in range(2))
        attention = self._torch.nn.functional.scaled_dot_product_attention
        is_grouped = heads != kv_heads
        return lambda: attention(query, keys, values, is_causal=is_prompt, enable_gqa=is_grouped)

    def _norm(self, case: OperatorCase) -> Call:
        size = case.size
        residual, output = (self._random(case, size["num_rows"], size["hidden_size"]) for _ in range(2))
        weights, norm = self._random(case, size["hidden_size"]), self._torch.nn.functional.rms_norm

        def call() -> object:
            hidden = residual + output
            return hidden, norm(hidden, (size["hidden_size"],), weights)

        return call

    def _activation(self, case: OperatorCase) -> Call:
        size, silu = case.size, self._torch.nn.functional.silu
        both = self._random(case, size["num_rows"], 2 * size["hidden_size"])

        def call() -> object:
            gate, up = both.chunk(2, dim=-1)
            return silu(gate) * up

        return call


_CALLS = {
    Operator.GEMM: TorchMeasurer._gemm,
    Operator.ATTENTION_PREFILL: TorchMeasurer._attention,
    Operator.ATTENTION_DECODE: TorchMeasurer._attention,
    Operator.NORM: TorchMeasurer._norm,
    Operator.ACTIVATION: TorchMeasurer._activation,
}
