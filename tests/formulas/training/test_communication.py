"""Who sends what: groups of ranks, routing of experts, bytes that leave a node."""

from __future__ import annotations

import itertools
import math

import pytest

from dcsim.formulas.network.group_network import Collective
from dcsim.formulas.training.choices import Recompute, Sharding
from dcsim.formulas.training.communication import Message, Relay, step_messages, total_s
from dcsim.formulas.training.groups import RankGroup
from dcsim.formulas.training.plan import Adapters, TrainingPlan
from dcsim.formulas.training.routing import num_visited_domains
from dcsim.formulas.training.software import SoftwareFacts
from dcsim.formulas.training.straggler import expected_maximum_frac
from dcsim.formulas.training.traffic import scale_out_patterns
from dcsim.formulas.transformer import MixtureOfExperts
from tests.formulas.training.plans import DEEPSEEK, MIXTRAL, SOFTWARE, network, plan


def sent_bytes(one: TrainingPlan) -> float:
    return sum(pattern.num_bytes for pattern in scale_out_patterns(one, SOFTWARE, network()))


def test_groups_fill_a_domain_by_their_stride() -> None:
    assert RankGroup(8, 1).ranks_per_domain(8) == 8
    assert RankGroup(16, 8).ranks_per_domain(8) == 1  # replicas of tensor-parallel nodes
    assert RankGroup(16, 4).num_domains(8) == 8
    assert RankGroup(64, 1).num_domains(72) == 1


def test_tokens_visit_as_many_nodes_as_counting_all_choices_says() -> None:
    experts = MixtureOfExperts(num_experts=8, num_experts_per_token=3, expert_ffn_size=1)
    choices = list(itertools.combinations(range(8), 3))
    mean = sum(len({expert // 2 for expert in choice}) for choice in choices) / len(choices)
    assert num_visited_domains(experts, 4, None) == pytest.approx(mean)


def test_a_limited_router_visits_no_more() -> None:
    assert num_visited_domains(MixtureOfExperts(256, 8, 2048), 8, 4) == 4.0


def test_gradients_are_reduced_once_a_step_and_parameters_gathered() -> None:
    one = plan(data=8)
    messages = step_messages(one, SOFTWARE, 8)
    size = messages.reduce[0].num_bytes
    assert messages.gather[0].num_bytes == pytest.approx(size / 2)  # 16 bits against 32
    assert messages.reduce[0].kind is Collective.REDUCE_SCATTER  # type: ignore[union-attr]


def test_full_sharding_gathers_every_layer_and_nothing_afterwards() -> None:
    messages = step_messages(plan(data=8, sharding=Sharding.FULL), SOFTWARE, 8)
    assert messages.gather_layer
    assert messages.scatter_layer
    assert (messages.reduce, messages.gather) == ((), ())


def test_hybrid_sharding_sums_up_over_its_copies() -> None:
    messages = step_messages(plan(data=64, sharding=Sharding.FULL, num_shards=8), SOFTWARE, 8)
    assert [(one.kind, one.group) for one in messages.reduce] == [  # type: ignore[union-attr]
        (Collective.ALL_REDUCE, RankGroup(8, 8))
    ]


def test_adapters_reduce_only_themselves() -> None:
    whole, tuned = (
        step_messages(plan(data=8, adapters=adapters), SOFTWARE, 8).reduce[0].num_bytes
        for adapters in (None, Adapters(rank=16))
    )
    assert tuned < 0.02 * whole


def test_dispatch_sends_each_token_once_to_a_node_where_the_software_does() -> None:
    one = plan(shape=DEEPSEEK, data=64, expert=64, max_routed_nodes=4)
    (plain,) = step_messages(one, SOFTWARE, 8).expert_forward
    (once,) = step_messages(one, SoftwareFacts(sends_tokens_once=True), 8).expert_forward
    assert isinstance(plain, Message)
    assert isinstance(once, Relay)
    assert once.once_bytes == pytest.approx(plain.num_bytes * 4 / 8)
    assert once.time_s(network()) < plain.time_s(network())


def test_experts_inside_a_domain_send_nothing_out() -> None:
    one = plan(shape=MIXTRAL, data=8, expert=8)
    assert all(message.remote_bytes(8) == 0.0 for message in step_messages(one, SOFTWARE, 8).expert_forward)


def test_data_parallel_traffic_leaves_the_node_by_hand() -> None:
    one = plan(tensor=8, data=4, has_sequence_parallelism=True)
    messages = step_messages(one, SOFTWARE, 8)
    expected = (messages.reduce[0].num_bytes + messages.gather[0].num_bytes) * 3 / 4
    assert sent_bytes(one) == pytest.approx(expected)


def test_recomputation_repeats_what_its_layers_send() -> None:
    sizes = {"tensor": 16, "data": 1, "has_sequence_parallelism": True}
    once, again = (sent_bytes(plan(**sizes, recompute=chosen)) for chosen in (Recompute.NONE, Recompute.FULL))
    assert again == pytest.approx((2 + 2 + 3) / (2 + 3) * once)  # backward inputs are gathered once more


def test_messages_one_after_the_other_take_their_sum() -> None:
    messages = step_messages(plan(tensor=8, has_sequence_parallelism=True), SOFTWARE, 8).tensor_forward
    assert total_s(messages, network()) == pytest.approx(sum(one.time_s(network()) for one in messages))


def test_the_slowest_of_one_is_itself_and_grows_with_the_root_of_the_logarithm() -> None:
    assert expected_maximum_frac(0.01, 1) == 0.0
    assert expected_maximum_frac(0.01, 10_000) == pytest.approx(0.01 * math.sqrt(2 * math.log(10_000)))
