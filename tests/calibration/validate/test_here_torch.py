"""The workloads on real PyTorch, as small as they get: that they compute what they should, not how fast."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dcsim.calibration.measure.devices import open_device
from dcsim.calibration.measure.model import Gpt, GptShape, narrow
from dcsim.calibration.measure.transformer_block import BlockShape
from dcsim.calibration.validate.here_machine import HostOverheads, ServingLimits
from dcsim.calibration.validate.here_measure import TorchMeasurer
from dcsim.calibration.validate.workloads.data_parallel import data_parallel_step_s
from dcsim.calibration.validate.workloads.operators import Heads, Operator, decode, elementwise, gemm, prefill
from dcsim.calibration.validate.workloads.ragged_gpt import RaggedGpt, host_floor_s
from dcsim.calibration.validate.workloads.serving_loop import Arrival, Part
from dcsim.calibration.validate.workloads.shapes import SERVED, Batch, gradient_bytes, transformer_shape
from dcsim.formulas.datatypes import Datatype
from dcsim.formulas.transformer import num_parameters

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'dcsim[calibration]'")

TINY = GptShape(num_layers=2, block=BlockShape(32, 4, 2, 8, 48), vocab_size=64)


@pytest.fixture(scope="module")
def measurer() -> TorchMeasurer:
    return TorchMeasurer("cpu", num_threads=1, max_context_tokens=32)


def new_model() -> RaggedGpt:
    return RaggedGpt(open_device("cpu"), TINY, datatype="float32", num_slots=3, max_context_tokens=32)


def prompt_of(model: RaggedGpt, slot: int, num_tokens: int) -> None:
    torch.manual_seed(slot)
    model.begin(slot, num_tokens)


def token_after(model: RaggedGpt, parts: list[Part]) -> list[int]:
    torch.manual_seed(7)
    return model.step(parts)


def test_a_prompt_in_chunks_ends_as_a_whole_one() -> None:
    whole, chunked = new_model(), new_model()
    for model in (whole, chunked):
        prompt_of(model, 0, 12)
    chunked.step([Part(0, 5, 0, False)])
    expected = token_after(whole, [Part(0, 12, 0, True)])
    assert token_after(chunked, [Part(0, 7, 5, True)]) == expected
    assert token_after(whole, [Part(0, 1, 12, True)]) == token_after(chunked, [Part(0, 1, 12, True)])


def test_sequences_of_one_step_do_not_see_each_other() -> None:
    alone, together = new_model(), new_model()
    for model in (alone, together):
        prompt_of(model, 1, 9)
    prompt_of(together, 2, 20)
    together.step([Part(2, 20, 0, True)])
    together.step([Part(2, 1, 20, False), Part(1, 9, 0, False)])
    alone.step([Part(1, 9, 0, False)])
    assert together.cached(1, 9) == pytest.approx(alone.cached(1, 9), abs=1e-5)


def test_ragged_and_plain_model_have_the_same_weights_to_read() -> None:
    plain = Gpt(TINY, device="cpu", datatype="float32")
    elements = sum(weights.numel() for weights in plain.parameters())
    assert elements == TINY.num_parameters == sum(gradient_bytes(TINY)) / 4
    norms = (2 * TINY.num_layers + 1) * TINY.block.hidden_size
    assert num_parameters(transformer_shape(TINY)) == elements - norms


@pytest.mark.parametrize(
    "case",
    [
        gemm(Datatype.FP32, 3, 24, 16),
        gemm(Datatype.BF16, 3, 24, 16),
        prefill(Datatype.FP32, Heads(4, 2, 8), 6, 2),
        decode(Datatype.BF16, Heads(4, 4, 8), 6, 2),
        elementwise(Operator.NORM, Datatype.FP32, 3, 16),
        elementwise(Operator.ACTIVATION, Datatype.BF16, 3, 16),
    ],
    ids=lambda case: case.kind,
)
def test_operators_take_time(measurer: TorchMeasurer, case: object) -> None:
    samples = measurer.operator_samples(case, max_s=0.02)  # type: ignore[arg-type]
    assert samples
    assert min(samples) >= 0.0
    assert max(samples) > 0.0


def test_a_served_loop_gives_every_request_its_tokens(measurer: TorchMeasurer) -> None:
    arrivals = [Arrival(0.001 * index, 5 + index, 3) for index in range(5)]
    limits = ServingLimits(max_num_seqs=2, max_num_batched_tokens=8)
    loop = measurer.serve(TINY, Datatype.FP32, limits, arrivals)
    assert [one.num_generated_tokens for one in loop.requests] == [3] * 5
    assert all(one.arrival.arrived_at_s < one.first_token_at_s < one.finished_at_s for one in loop.requests)
    assert all(len(step.parts) <= 2 for step in loop.steps)


def test_some_of_a_step_is_host_overhead(measurer: TorchMeasurer) -> None:
    shape = replace(TINY, num_layers=1)
    overheads = measurer.overheads(shape, Datatype.FP32, ServingLimits(2, 8))
    assert min(overheads.step_s, overheads.sequence_s) >= 0.0
    assert overheads.step_s + overheads.sequence_s > 0.0  # a busy machine may put all of it on one of them


def test_a_narrow_model_launches_as_much_and_has_next_to_nothing_to_do() -> None:
    shape = narrow(SERVED)
    model = Gpt(shape, device="cpu", datatype="float32")
    assert shape.num_layers == SERVED.num_layers
    assert sum(weights.numel() for weights in model.parameters()) < 0.02 * SERVED.num_parameters
    device = open_device("cpu")
    assert host_floor_s(device, TINY, "float32", HostOverheads(0.0, 0.0)) > 0.0
    assert host_floor_s(device, TINY, "float32", HostOverheads(1e3, 0.0)) == 0.0


@pytest.mark.slow
def test_steps_of_all_kinds_take_time(measurer: TorchMeasurer) -> None:
    batch = Batch(2, 6)
    found = [
        measurer.training_step(TINY, Datatype.FP32, batch),
        measurer.prefill(TINY, Datatype.FP32, batch),
        measurer.decode(TINY, Datatype.FP32, batch),
    ]
    for one in found:
        assert 0.0 < one.low_s <= one.value_s <= one.high_s
        assert one.num_samples > 1


@pytest.mark.slow
def test_two_processes_train_together() -> None:
    times = data_parallel_step_s(TINY, 1, 6, num_steps=3)
    assert len(times) == 3
    assert all(time_s > 0.0 for time_s in times)
