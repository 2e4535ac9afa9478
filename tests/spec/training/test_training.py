"""Training jobs in a scenario: what is refused and why, defaults, memory, kinds of models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from dcsim.errors import InfeasibleError, ScenarioError
from dcsim.formulas.training.step import StepCondition
from dcsim.policies.pipeline_schedules.gpipe import Gpipe
from dcsim.policies.pipeline_schedules.interleaved import Interleaved
from dcsim.policies.pipeline_schedules.one_forward_one_backward import OneForwardOneBackward
from dcsim.spec.loader import load
from dcsim.spec.scenario import Scenario
from dcsim.spec.training.deployment import resolve_training, unchecked_training

TEXT = """\
name: small
cluster: {node: dgx-h100, num_nodes: 8}
training:
  job:
    model: llama-3.1-8b
    parallelism: {tensor: 2, pipeline: 4}
    batch: {sequences: 64, micro: 1, tokens: 4096}
    tokens: 1e9
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    path = tmp_path / "small.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return load(path)


def refused(scenario: Scenario, settings: Mapping[str, object]) -> str:
    with pytest.raises(ScenarioError) as error:
        scenario.replace({f"training.job.{key}": value for key, value in settings.items()})
    return str(error.value)


@pytest.mark.parametrize(
    ("settings", "path", "message"),
    [
        ({"parallelism.tensor": 3}, "parallelism", "no multiple of tensor x pipeline x context"),
        ({"parallelism.data": 16}, "parallelism", "more than the job's 64 accelerators"),
        ({"num_nodes": 9}, "num_nodes", "more accelerators than the cluster's 64"),
        ({"num_nodes": 2, "num_accelerators": 16}, "num_nodes", "exclude each other"),
        ({"batch.sequences": 60}, "batch.sequences", "multiple of data x micro = 8 x 1"),
        ({"parallelism.virtual_stages": 3, "batch.sequences": 48}, "parallelism", "whole rounds of 4"),
        ({"parallelism.expert": 2}, "parallelism.expert", "the model has no experts"),
        ({"imbalance": 1.2}, "imbalance", "the model has no experts"),
        ({"recompute_layers": 8}, "recompute_layers", "recompute is none"),
        ({"recompute_layers": 8, "recompute": "selective"}, "recompute_layers", "recompute is selective"),
        ({"parallelism.schedule": "dualpipe", "parallelism.pipeline": 1}, "parallelism.schedule",
         "two directions need a pipeline"),
        ({"recompute_modules": ["moe_act"]}, "recompute_modules", "the model has no experts"),
        ({"recompute_modules": ["mla_up_proj"]}, "recompute_modules", "no latent attention"),
        ({"recompute_modules": ["layernorm"], "recompute": "full"}, "recompute_modules", "has them all"),
        ({"batch.tokens": 200_000}, "batch.tokens", "longest context"),
        ({"parallelism.context": 2, "batch.tokens": 4095}, "batch.tokens", "multiple of 2 x context"),
        ({"steps": 5}, "steps", "tokens says already"),
        ({"kind": "rl"}, "rollout", "needs it"),
        ({"kind": "rl", "rollout": {"prompt_tokens": 512, "output_tokens": 100_000}},
         "batch.tokens", "must hold a prompt and its mean output, 512 + 100000"),
        ({"model": "mixtral-8x7b", "num_nodes": 1, "parallelism": {"expert": 4, "expert_tensor": 4}},
         "parallelism.expert", "expert x expert_tensor = 16 must divide the 8 ranks of a pipeline stage"),
        ({"sweep": {"trials": 4}}, "sweep", "belongs to kind sweep"),
        ({"adapters": {"rank": 8}}, "adapters", "belong to a tuning job"),
        ({"tokens": None, "epochs": 1}, "dataset_tokens", "size of the data set"),
        ({"parallelism.schedule": "dualpipe", "parallelism.pipeline": 1, "parallelism.virtual_stages": 2},
         "parallelism.virtual_stages", "need a pipeline"),
        ({"parallelism.schedule": "onef"}, "parallelism.schedule", "unknown policy"),
        ({"software": "megatrom"}, "software", "no 'megatrom'"),
    ],
)  # fmt: skip
def test_contradictions_are_told_with_their_place(
    scenario: Scenario, settings: dict[str, object], path: str, message: str
) -> None:
    text = refused(scenario, settings)
    assert f"training.job.{path}" in text
    assert message in text


def test_more_stages_than_layers_are_refused(scenario: Scenario) -> None:
    settings = {"parallelism.pipeline": 32, "parallelism.virtual_stages": 2, "parallelism.tensor": 2}
    assert "64 chunks, but the model has 32 layers" in refused(scenario, settings)


def test_one_chunk_may_hold_the_head_alone(scenario: Scenario) -> None:
    # Llama 3 405B: 126 layers on 16 stages of 8 chunks (arXiv:2407.21783, section 3.3.2)
    changed = scenario.replace(
        {
            "training.job.model": "llama-3.1-405b",
            "training.job.parallelism": {"tensor": 4, "pipeline": 16, "virtual_stages": 8},
            "training.job.batch.sequences": 16,
        }
    )
    assert unchecked_training(changed, "job").plan is not None


def test_data_parallelism_is_what_is_left(scenario: Scenario) -> None:
    job = resolve_training(scenario, "job")
    assert job.plan is not None
    assert (job.plan.data, job.num_accelerators, job.num_nodes) == (8, 64, 8)
    assert job.tokens_per_step == 64 * 4096


def test_schedules_follow_the_virtual_stages_unless_named(scenario: Scenario) -> None:
    def schedule(settings: dict[str, object]) -> object:
        changed = scenario.replace(
            {f"training.job.parallelism.{key}": value for key, value in settings.items()}
        )
        plan = resolve_training(changed, "job").plan
        assert plan is not None
        return plan.schedule

    assert isinstance(schedule({}), OneForwardOneBackward)
    assert isinstance(schedule({"schedule": "1f1b"}), OneForwardOneBackward)
    assert isinstance(schedule({"virtual_stages": 2}), Interleaved)
    assert isinstance(schedule({"schedule": "gpipe"}), Gpipe)


def test_what_does_not_fit_names_the_term_and_a_remedy(scenario: Scenario) -> None:
    changed = scenario.replace(
        {"training.job.model": "llama-3.1-70b", "training.job.parallelism": {"tensor": 1, "pipeline": 1}}
    )
    with pytest.raises(InfeasibleError, match=r"training\.job: needs .* weight overflows .*sharding: full"):
        resolve_training(changed, "job")
    assert not unchecked_training(changed, "job").memory.fits


def test_an_accelerator_without_the_datatype_is_infeasible(scenario: Scenario) -> None:
    changed = scenario.replace({"cluster.node": "dgx-a100", "training.job.precision": "fp8"})
    with pytest.raises(InfeasibleError, match="no figures for fp8"):
        resolve_training(changed, "job")


def test_a_checkpoint_holds_14_bytes_per_weight(scenario: Scenario) -> None:
    job = resolve_training(scenario, "job")
    assert job.num_checkpoint_bytes == pytest.approx(14 * 8.03e9, rel=0.001)
    assert job.num_weight_bytes == pytest.approx(2 * 8.03e9, rel=0.001)


def test_adapters_checkpoint_themselves_only(scenario: Scenario) -> None:
    changed = scenario.replace({"training.job.kind": "lora"})
    assert resolve_training(changed, "job").num_checkpoint_bytes < 1e9


def test_a_step_is_computed_once_per_condition(scenario: Scenario) -> None:
    job = resolve_training(scenario, "job")
    halved = job.step(StepCondition(scale_out_share_frac=0.5))
    assert job.step(StepCondition(scale_out_share_frac=0.5)) is halved
    assert halved.total_s > job.step().total_s


def test_slow_preprocessing_stalls_the_step(scenario: Scenario) -> None:
    changed = scenario.replace(
        {"training.job.dataset": {"bytes_per_sample": "100 MB", "preprocessing_rate": "100 MB/s"}}
    )
    step = resolve_training(changed, "job").step()
    assert step.total_s == pytest.approx(64 * 100e6 / (8 * 100e6))  # eight nodes
    assert step.input_s > 0.0


@pytest.mark.parametrize("model", ["bert-large", "resnet-50", "dlrm-dcnv2", "t5-11b"])
def test_models_that_are_no_decoders_train_by_data_parallelism(scenario: Scenario, model: str) -> None:
    changed = scenario.replace(
        {
            "training.job.model": model,
            "training.job.parallelism": {"tensor": 1, "pipeline": 1},
            "training.job.batch.tokens": None,
            "training.job.sharding": "full",
        }
    )
    job = resolve_training(changed, "job")
    step = job.step()
    assert job.plan is None
    assert 0.0 < step.mfu_frac < 1.0
    assert step.total_s == pytest.approx(sum(step.by_name().values()))


def test_models_that_are_no_decoders_have_no_tensor_parallelism(scenario: Scenario) -> None:
    assert "data parallelism alone" in refused(scenario, {"model": "resnet-50", "batch.tokens": None})


@pytest.mark.parametrize(("num_nodes", "axes"), [(16, (4, 4, 4)), (768, (12, 16, 16)), (1536, (12, 16, 16))])
def test_accelerators_of_a_torus_are_laid_out_as_near_to_a_cube_as_they_go(
    scenario: Scenario, num_nodes: int, axes: tuple[int, ...]
) -> None:
    # the last in two slices of 3,072, since a TPU v4 torus joins 4,096 at most
    changed = scenario.replace(
        {
            "cluster": {"node": "tpu-v4-host", "num_nodes": num_nodes},
            "training.job.parallelism": {"tensor": 4},
            "training.job.software": "maxtext",
            "training.job.batch.sequences": 4 * num_nodes,
        }
    )
    network = unchecked_training(changed, "job").hardware.network
    assert network.torus_axes == axes
    assert network.domain_size == axes[0] * axes[1] * axes[2]


def test_tf32_lies_between_fp32_and_bf16(scenario: Scenario) -> None:
    times_s = [
        resolve_training(scenario.replace({"training.job.precision": name}), "job").step().total_s
        for name in ("fp32", "tf32", "bf16")
    ]
    assert times_s[0] > times_s[1] > times_s[2]
