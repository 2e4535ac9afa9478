"""What models bring along: biases of experts, blocks side by side, latent attention; and their memory."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dcsim.formulas.datatypes import Datatype
from dcsim.formulas.training.activations import layer_activation_bytes, working_bytes
from dcsim.formulas.training.attention import attention_passes
from dcsim.formulas.training.between import traffic_between
from dcsim.formulas.training.communication import Message, step_messages
from dcsim.formulas.training.layer import layer_costs
from dcsim.formulas.training.routing import num_visited_domains
from dcsim.formulas.training.software import SoftwareFacts
from dcsim.formulas.training.step import training_step
from dcsim.formulas.training.straggler import slow_node_frac
from dcsim.formulas.transformer import TransformerShape
from tests.formulas.training.plans import DEEPSEEK, HARDWARE, LLAMA_8B, MIXTRAL, SOFTWARE, hardware, plan

PARALLEL = replace(LLAMA_8B, has_parallel_blocks=True)


def biased(shape: TransformerShape) -> TransformerShape:
    assert shape.experts is not None
    return replace(shape, experts=replace(shape.experts, has_biases=True))


def test_biases_of_experts_are_traffic_of_every_routed_row() -> None:
    one = plan(shape=MIXTRAL)
    more = (
        traffic_between(one, biased(MIXTRAL), SOFTWARE).forward
        - traffic_between(one, MIXTRAL, SOFTWARE).forward
    )
    rows = 2 * one.num_micro_tokens  # two experts for each token
    assert more == pytest.approx(rows * (16 * 14336 + 28 * 4096))


def test_blocks_side_by_side_share_their_collectives() -> None:
    apart, shared = (
        step_messages(plan(shape=shape, tensor=8), SOFTWARE, 8).tensor_forward
        for shape in (LLAMA_8B, PARALLEL)
    )
    assert isinstance(apart[0], Message)
    assert isinstance(shared[0], Message)
    assert (apart[0].count, shared[0].count) == (2, 1)
    one = plan(tensor=8)
    assert traffic_between(one, PARALLEL, SOFTWARE).forward < traffic_between(one, LLAMA_8B, SOFTWARE).forward


def test_a_token_goes_once_to_each_rank_of_a_domain_where_the_software_does() -> None:
    one = plan(shape=MIXTRAL, data=4, expert=4)
    (plain,) = step_messages(one, SOFTWARE, 8).expert_forward
    (once,) = step_messages(one, SoftwareFacts(sends_tokens_once=True), 8).expert_forward
    assert MIXTRAL.experts is not None
    visited = num_visited_domains(MIXTRAL.experts, 4, None)  # of the two experts, 1 in 7 pairs shares a rank
    assert visited == pytest.approx(2 - 1 / 7)
    assert once.num_bytes == pytest.approx(plain.num_bytes * visited / 2)


def test_latent_attention_is_slower_backward_than_plain_attention() -> None:
    plain, latent = (
        attention_passes(plan(shape=shape), shape, HARDWARE, SOFTWARE) for shape in (LLAMA_8B, DEEPSEEK)
    )
    ratios = [one.backward.total_s / one.forward.total_s for one in (plain, latent)]
    assert ratios == pytest.approx([2.5 / 0.83, 2.5 / 0.72])


def test_one_slow_node_of_many_slows_all_and_never_more_than_a_tenth() -> None:
    assert slow_node_frac(0.005, 0) == 0.0
    assert slow_node_frac(0.005, 1) == pytest.approx(0.1 * 0.005)
    assert slow_node_frac(0.005, 1e6) == pytest.approx(0.1)


def test_slow_nodes_lengthen_the_step_by_what_they_compute_slower() -> None:
    one = plan(data=8, num_sequences=64)
    plain = training_step(one, HARDWARE, SOFTWARE)
    slow = training_step(one, HARDWARE, SoftwareFacts(slow_nodes_frac=1.0))
    own_s = plain.compute_s + plain.memory_s + plain.launch_s + plain.recompute_s
    assert slow.total_s - plain.total_s == pytest.approx(0.1 * own_s)


def test_inputs_that_are_kept_gathered_take_their_whole_width_on_every_rank() -> None:
    one = plan(tensor=8, has_sequence_parallelism=True)
    split, whole = (
        layer_activation_bytes(one, SoftwareFacts(keeps_gathered_inputs=kept)) for kept in (False, True)
    )
    assert whole - split == pytest.approx(2 * 2 * 4096 * one.num_micro_tokens * 7 / 8)


def test_the_gradients_at_work_are_those_of_one_mlp() -> None:
    assert working_bytes(plan()) == 2 * 4096 * (3 * 14336 + 2 * 4096)
    assert working_bytes(plan(tensor=8)) == 2 * 4096 * (3 * 14336 / 8 + 2 * 4096)
    assert working_bytes(plan(shape=MIXTRAL, imbalance=1.5)) == pytest.approx(3 * working_bytes(plan()))


def test_a_domain_of_any_size_has_as_many_nodes_as_its_accelerators_say() -> None:
    facts = SoftwareFacts(slow_nodes_frac=0.01)
    many, few = (training_step(plan(data=64), hardware(size), facts).straggler_s for size in (8, 64))
    assert many > few


def test_casting_is_traffic_of_every_element_that_enters_a_narrow_product() -> None:
    one = plan(linear=Datatype.FP8)
    few, many = (layer_costs(one, HARDWARE, SoftwareFacts(cast_bytes=size)).forward for size in (4.0, 8.0))
    entering = one.num_micro_tokens * (3 * 4096 + 14336)  # attention's two products, the MLP's two
    assert many.memory_s - few.memory_s == pytest.approx(4.0 * entering / HARDWARE.streaming_bytes_per_s)
