"""Memory of a rank: bytes per parameter, what is copied and what is divided, what overflows."""

from __future__ import annotations

import pytest

from dcsim.formulas.training.choices import OPTIMIZERS, OptimizerName, Sharding
from dcsim.formulas.training.memory import RankMemory, rank_memory
from dcsim.formulas.training.parameters import stage_parameters
from dcsim.formulas.training.plan import Adapters, Offload, TrainingPlan
from dcsim.formulas.training.software import SoftwareFacts
from dcsim.formulas.transformer import num_parameters
from dcsim.policies.pipeline_schedules.dualpipe import Dualpipe
from tests.formulas.training.plans import DEEPSEEK, LLAMA_8B, MIXTRAL, plan

FACTS = SoftwareFacts()
CLASSIC = SoftwareFacts(gradient_bytes=2.0)


def of(one: TrainingPlan, facts: SoftwareFacts = FACTS) -> RankMemory:
    return rank_memory(one, facts, 80e9)


def per_parameter(one: TrainingPlan, facts: SoftwareFacts) -> float:
    found = of(one, facts)
    state = found.weight_bytes + found.gradient_bytes + found.optimizer_bytes
    return state / stage_parameters(one).total


def test_mixed_precision_adam_takes_18_bytes_with_gradients_in_32_bits() -> None:
    assert per_parameter(plan(sharding=Sharding.NONE), FACTS) == pytest.approx(18)


@pytest.mark.parametrize(
    ("sharding", "expected"),
    [
        (Sharding.NONE, 16.0),
        (Sharding.OPTIMIZER, 4 + 12 / 64),
        (Sharding.GRADIENTS, 2 + 14 / 64),
        (Sharding.FULL, 16 / 64),
    ],
)
def test_zero_shares_out_as_its_table_says(sharding: Sharding, expected: float) -> None:
    # Rajbhandari et al., 2020, arXiv:1910.02054, figure 1
    one = plan(data=64, num_sequences=64, sharding=sharding)
    assert per_parameter(one, CLASSIC) == pytest.approx(expected)


def test_norms_and_router_are_copied_by_tensor_ranks_experts_divided_by_their_own() -> None:
    one = plan(shape=MIXTRAL, tensor=8, data=8, num_sequences=8, expert=8)
    held = stage_parameters(one)
    expert = 3 * 4096 * 14336
    assert held.experts == 32 * expert  # one whole expert per layer: tensor ranks do not divide it
    copied = 32 * (2 * 4096 + 4096 * 8)
    divided = 32 * (2 * 4096 * 4096 + 2 * 4096 * 1024) + 2 * 32000 * 4096
    assert held.dense == pytest.approx(copied + divided / 8)


def test_one_rank_holds_the_model_and_its_norms() -> None:
    assert stage_parameters(plan()).total == pytest.approx(num_parameters(LLAMA_8B) + 32 * 2 * 4096)


def test_the_fullest_stage_of_a_pipeline_has_layers_with_experts_only() -> None:
    one = plan(shape=DEEPSEEK, pipeline=16, expert=64, data=64, num_sequences=1024)
    assert stage_parameters(one).experts == 4 * (256 / 64) * 3 * 7168 * 2048


def test_dualpipe_holds_the_weights_twice() -> None:
    sizes = {"shape": DEEPSEEK, "pipeline": 16, "expert": 64, "data": 64, "num_sequences": 4096}
    assert stage_parameters(plan(**sizes, schedule=Dualpipe())).experts == pytest.approx(
        2 * stage_parameters(plan(**sizes)).experts
    )


def test_logits_count_and_grow_with_the_vocabulary() -> None:
    assert of(plan()).logit_bytes == pytest.approx(4096 * 128256 * FACTS.logit_bytes)


def test_the_terms_add_up() -> None:
    found = of(plan(sharding=Sharding.FULL, data=8))
    assert found.total_bytes == pytest.approx(sum(found.terms().values()))


def test_the_overflowing_term_is_the_one_at_which_memory_runs_out() -> None:
    assert of(plan(sharding=Sharding.NONE)).overflowing_term() == "optimizer"
    assert of(plan(sharding=Sharding.FULL, data=64, micro_sequences=8)).overflowing_term() == "activation"
    assert of(plan(sharding=Sharding.FULL, data=64)).overflowing_term() is None


@pytest.mark.parametrize(
    ("name", "state"),
    [(OptimizerName.ADAMW, 12.0), (OptimizerName.SGD, 8.0), (OptimizerName.ADAFACTOR, 4.01)],
)
def test_optimizers_keep_their_state_beside_the_master_weights(name: OptimizerName, state: float) -> None:
    one = plan(optimizer=OPTIMIZERS[name], sharding=Sharding.NONE)
    assert of(one).optimizer_bytes == pytest.approx(state * stage_parameters(one).total)


def test_adapters_have_gradients_the_frozen_weights_none() -> None:
    found = of(plan(adapters=Adapters(rank=16), sharding=Sharding.NONE))
    rank_sizes = 16 * ((4096 + 6144) + (4096 + 4096) + (4096 + 2 * 14336) + (14336 + 4096))
    assert found.gradient_bytes == pytest.approx(4 * 32 * rank_sizes)


def test_what_is_offloaded_is_not_there() -> None:
    outside = of(plan(offload=Offload(optimizer_frac=1.0, activation_frac=0.5)))
    inside = of(plan())
    assert outside.optimizer_bytes == 0.0
    assert outside.activation_bytes == pytest.approx(inside.activation_bytes / 2)


def test_a_teacher_brings_its_weights_only() -> None:
    alone, taught = of(plan(tensor=8)), of(plan(tensor=8, teacher=LLAMA_8B))
    assert taught.weight_bytes - alone.weight_bytes == pytest.approx(2 * num_parameters(LLAMA_8B) / 8)
    assert taught.gradient_bytes == alone.gradient_bytes


def test_a_pipeline_keeps_its_sharded_weights_gathered() -> None:
    one = plan(sharding=Sharding.FULL, data=8, pipeline=4, num_sequences=64)
    held = stage_parameters(one).total
    found = of(one)
    assert found.gathered_bytes == pytest.approx(2 * held)
    assert found.gradient_bytes == pytest.approx(4 * held)
    assert found.weight_bytes == pytest.approx(2 * held / 8)
