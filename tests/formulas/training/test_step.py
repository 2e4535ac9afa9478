"""A whole step: parts that add up, bounds, and what must make it slower or faster."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.formulas.datatypes import Datatype
from dcsim.formulas.training.breakdown import StepCauses
from dcsim.formulas.training.choices import Recompute, Sharding
from dcsim.formulas.training.flops import step_flops
from dcsim.formulas.training.plan import Adapters, Compression, Offload, TrainingPlan
from dcsim.formulas.training.software import Overlap, SoftwareFacts
from dcsim.formulas.training.step import StepCondition, training_step
from dcsim.policies.pipeline_schedules.dualpipe import Dualpipe
from dcsim.policies.pipeline_schedules.interleaved import Interleaved
from dcsim.policies.pipeline_schedules.zero_bubble import ZeroBubble
from tests.formulas.training.plans import (
    DEEPSEEK,
    HARDWARE,
    LLAMA_8B,
    MIXTRAL,
    PEAK_FLOPS_PER_S,
    SOFTWARE,
    hardware,
    plan,
)

HIDING = SoftwareFacts(
    overlap=Overlap(0.5, 0.5, 0.5, 0.5, 0.9, 0.9, compute_slowdown_frac=0.15, network_slowdown_frac=0.1)
)
POWERS = st.sampled_from([1, 2, 4, 8])


def step_s(one: TrainingPlan, software: SoftwareFacts = SOFTWARE, **condition: object) -> float:
    return training_step(one, HARDWARE, software, StepCondition(**condition)).total_s  # type: ignore[arg-type]


@st.composite
def plans(draw: st.DrawFn) -> TrainingPlan:
    tensor, pipeline, context, data = (draw(POWERS) for _ in range(4))
    micro, rounds = draw(POWERS), draw(POWERS)
    shape = draw(st.sampled_from([LLAMA_8B, MIXTRAL]))
    return plan(
        shape=shape,
        tensor=tensor,
        pipeline=pipeline,
        context=context,
        data=data,
        micro_sequences=micro,
        num_sequences=data * micro * pipeline * rounds,
        has_sequence_parallelism=draw(st.booleans()) and tensor > 1,
        expert=draw(st.sampled_from([1, 2])) if shape is MIXTRAL and data > 1 else 1,
        recompute=draw(st.sampled_from(list(Recompute))),
        sharding=draw(st.sampled_from(list(Sharding))),
    )


@settings(max_examples=60, deadline=None)
@given(one=plans(), facts=st.sampled_from([SOFTWARE, HIDING]))
def test_causes_are_never_negative_and_add_up(one: TrainingPlan, facts: SoftwareFacts) -> None:
    step = training_step(one, HARDWARE, facts)
    causes = [getattr(step, part.name) for part in fields(StepCauses)]
    assert all(part >= 0.0 for part in causes)
    assert step.total_s == pytest.approx(sum(causes))
    assert step.total_s == pytest.approx(sum(step.by_name().values()))


@settings(max_examples=60, deadline=None)
@given(one=plans())
def test_no_step_beats_the_peak(one: TrainingPlan) -> None:
    step = training_step(one, HARDWARE, SOFTWARE)
    assert 0.0 < step.mfu_frac <= step.hfu_frac + 1e-12
    # the whole square of attention is counted, of which causal kernels compute half
    half = step_flops(one, causal_frac=0.5).hardware
    assert half / (one.num_accelerators * PEAK_FLOPS_PER_S * step.total_s) < 1.0


@settings(max_examples=40, deadline=None)
@given(one=plans(), share=st.floats(0.05, 1.0))
def test_contention_never_speeds_up(one: TrainingPlan, share: float) -> None:
    assert step_s(one, scale_out_share_frac=share) >= step_s(one) - 1e-12


@settings(max_examples=40, deadline=None)
@given(one=plans(), facts=st.sampled_from([SOFTWARE, HIDING]))
def test_a_less_efficient_software_is_slower(one: TrainingPlan, facts: SoftwareFacts) -> None:
    assert step_s(one, replace(facts, efficiency_frac=0.5)) > step_s(one, facts)


@settings(max_examples=40, deadline=None)
@given(one=plans(), factor=st.floats(1.0, 3.0))
def test_one_slow_rank_slows_all(one: TrainingPlan, factor: float) -> None:
    slow, plain = (
        training_step(one, HARDWARE, SOFTWARE, StepCondition(slowest_rank_factor=f)) for f in (factor, 1.0)
    )
    own_s = plain.compute_s + plain.memory_s + plain.launch_s + plain.recompute_s
    assert slow.total_s - plain.total_s == pytest.approx((factor - 1.0) * own_s, abs=1e-12)


def test_recomputation_costs_a_forward_pass_of_the_layers() -> None:
    none, full = (
        training_step(plan(recompute=r), HARDWARE, SOFTWARE) for r in (Recompute.NONE, Recompute.FULL)
    )
    assert 0.25 < full.recompute_s / (none.compute_s + none.memory_s + none.launch_s) < 0.34
    assert full.hfu_frac > full.mfu_frac


def test_interleaving_shrinks_the_bubble_and_multiplies_the_sends() -> None:
    plain = training_step(plan(pipeline=4), HARDWARE, SOFTWARE)
    chunked = training_step(plan(pipeline=4, virtual_stages=4, schedule=Interleaved()), HARDWARE, SOFTWARE)
    assert chunked.bubble_s < plain.bubble_s
    assert chunked.pipeline_s == pytest.approx(4 * plain.pipeline_s)


def test_zero_bubble_idles_less_than_1f1b() -> None:
    plain, zero = plan(pipeline=8), plan(pipeline=8, schedule=ZeroBubble())
    assert (
        training_step(zero, HARDWARE, SOFTWARE).bubble_s < training_step(plain, HARDWARE, SOFTWARE).bubble_s
    )


def test_dualpipe_hides_dispatch() -> None:
    sizes = {"shape": DEEPSEEK, "pipeline": 4, "data": 16, "expert": 16, "num_sequences": 16 * 16}
    plain = training_step(plan(**sizes), HARDWARE, SOFTWARE)
    dual = training_step(plan(**sizes, schedule=Dualpipe()), HARDWARE, SOFTWARE)
    assert plain.expert_s > 0.0
    assert dual.expert_s < plain.expert_s


def test_the_last_stage_with_its_logits_sets_the_pace() -> None:
    wide = replace(LLAMA_8B, vocab_size=4 * LLAMA_8B.vocab_size)
    narrow_s, wide_s = (step_s(plan(shape=shape, pipeline=8, num_sequences=64)) for shape in (LLAMA_8B, wide))
    assert wide_s > 1.5 * narrow_s


def test_hidden_communication_is_not_free() -> None:
    one = plan(data=64, num_sequences=64, sharding=Sharding.FULL)
    hidden = training_step(one, HARDWARE, HIDING)
    assert hidden.overlap_s > 0.0
    assert hidden.total_s < step_s(one, replace(HIDING, overlap=Overlap()))


def test_gradients_are_reduced_once_however_many_micro_batches() -> None:
    few, many = (training_step(plan(data=8, num_sequences=8 * m), HARDWARE, SOFTWARE).data_s for m in (1, 16))
    assert many == pytest.approx(few)


def test_full_sharding_gathers_for_each_micro_batch() -> None:
    few, many = (
        training_step(plan(data=8, num_sequences=8 * m, sharding=Sharding.FULL), HARDWARE, SOFTWARE).data_s
        for m in (1, 16)
    )
    assert many == pytest.approx(16 * few)


def test_compression_halves_what_is_reduced_and_pays_for_its_codec() -> None:
    plain = training_step(plan(data=16, num_sequences=16, sharding=Sharding.NONE), HARDWARE, SOFTWARE)
    half = plan(data=16, num_sequences=16, sharding=Sharding.NONE, compression=Compression(0.5, 0.0))
    coded = replace(half, compression=Compression(0.5, 12.0))
    half_s = training_step(half, HARDWARE, SOFTWARE).data_s
    assert 0.45 < half_s / plain.data_s < 0.6
    assert training_step(coded, HARDWARE, SOFTWARE).data_s > half_s


def test_offloading_the_optimizer_costs_time() -> None:
    outside = training_step(plan(offload=Offload(optimizer_frac=1.0)), HARDWARE, SOFTWARE)
    drives = training_step(plan(offload=Offload(optimizer_frac=1.0, goes_to_nvme=True)), HARDWARE, SOFTWARE)
    assert 0.0 < outside.offload_s < drives.offload_s


def test_adapters_train_faster_than_all_weights() -> None:
    assert 0.6 < step_s(plan(adapters=Adapters(rank=16))) / step_s(plan()) < 0.95


def test_a_teacher_costs_about_its_forward_pass() -> None:
    assert 1.2 < step_s(plan(teacher=LLAMA_8B)) / step_s(plan()) < 1.4


def test_unbalanced_experts_delay_all() -> None:
    even, uneven = (step_s(plan(shape=MIXTRAL, imbalance=i)) for i in (1.0, 1.5))
    assert 1.15 < uneven / even < 1.5


def test_late_samples_stall_the_step_to_their_pace() -> None:
    one = plan()
    late = training_step(
        one, HARDWARE, SOFTWARE, StepCondition(input_bytes_per_s=1000.0), input_bytes_per_token=4.0
    )
    assert late.total_s == pytest.approx(one.num_step_tokens * 4.0 / 1000.0)
    early = training_step(
        one, HARDWARE, SOFTWARE, StepCondition(input_bytes_per_s=1e12), input_bytes_per_token=4.0
    )
    assert early.input_s == 0.0


def test_fewer_replicas_take_more_micro_batches() -> None:
    one = plan(data=8, num_sequences=64)
    assert 1.9 < step_s(one, num_data_parallel=4) / step_s(one) < 2.1


def test_stragglers_grow_with_the_job() -> None:
    facts = SoftwareFacts(jitter_frac=0.01)
    small, large = (training_step(plan(data=d, num_sequences=d), HARDWARE, facts) for d in (8, 1024))
    shares = [step.straggler_s / (step.total_s - step.straggler_s) for step in (small, large)]
    assert shares[0] < shares[1]


def test_a_larger_scale_up_domain_speeds_up_dispatch() -> None:
    one = plan(shape=DEEPSEEK, data=64, expert=64, num_sequences=64)
    small, large = (training_step(one, hardware(size), SOFTWARE).expert_s for size in (8, 72))
    assert large < small


def test_power_rises_with_use_and_stays_below_the_cap() -> None:
    step = training_step(plan(), HARDWARE, SOFTWARE)
    assert 0.0 < step.accelerator_rise_w <= 0.9 * 700.0 - 70.0


def test_recomputing_no_layer_is_recomputing_nothing() -> None:
    none, zero = plan(tensor=8), plan(tensor=8, recompute=Recompute.FULL, num_recomputed_layers=0)
    assert step_s(zero) == pytest.approx(step_s(none))
    assert step_flops(zero) == step_flops(none)


def test_recomputing_half_the_layers_costs_half() -> None:
    some, every = (
        training_step(plan(tensor=8, recompute=Recompute.FULL, num_recomputed_layers=n), HARDWARE, SOFTWARE)
        for n in (16, 32)
    )
    none = training_step(plan(tensor=8), HARDWARE, SOFTWARE)
    assert some.recompute_s == pytest.approx(every.recompute_s / 2)
    assert some.tensor_s - none.tensor_s == pytest.approx((every.tensor_s - none.tensor_s) / 2)


def test_narrow_products_leave_attention_and_logits_as_they_are() -> None:
    narrow = replace(HARDWARE, linear=replace(HARDWARE.linear, peak_flops_per_s=1e30))
    step = training_step(plan(linear=Datatype.FP8), narrow, SOFTWARE)
    logits_s = 3 * 2 * 8 * 4096 * 4096 * 128256 / (0.8 * PEAK_FLOPS_PER_S)
    assert step.compute_s > logits_s


def test_split_products_are_less_efficient() -> None:
    own_s = [
        step.compute_s + step.memory_s + step.launch_s
        for step in (training_step(plan(tensor=t), HARDWARE, SOFTWARE) for t in (1, 8))
    ]
    assert own_s[1] > own_s[0] / 8


def test_a_ring_of_chunks_leaves_one_exposed() -> None:
    facts = SoftwareFacts(overlap=Overlap(tensor_frac=1.0))
    bare, hidden = (
        training_step(plan(tensor=2, has_sequence_parallelism=True), HARDWARE, f).tensor_s
        for f in (SOFTWARE, facts)
    )
    # of five halves of an all-reduce, two forward and one backward are in the ring
    assert hidden == pytest.approx(bare * (0.5 * 3 + 2) / 5)


def test_sums_of_the_gradients_of_inputs_hide_beside_those_of_weights() -> None:
    facts = SoftwareFacts(overlap=Overlap(tensor_gradients_frac=1.0))
    one = plan(tensor=2)
    bare, hidden = (training_step(one, HARDWARE, f).tensor_s for f in (SOFTWARE, facts))
    assert hidden == pytest.approx(bare / 2)  # the all-reduces of the backward pass
