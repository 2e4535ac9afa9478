"""The section prefill: what it inherits, what it contradicts, and what does not fit."""

from __future__ import annotations

import pytest

from dcsim.errors import InfeasibleError, ScenarioError
from dcsim.policies.schedulers.chunked_prefill import ChunkedPrefill
from dcsim.policies.schedulers.prefill_first import PrefillFirst
from dcsim.spec.deployment import ServingDeployment, resolve_deployment
from dcsim.spec.loader import load
from dcsim.spec.pools import num_serving_nodes
from tests.spec.scenarios import TEXT


def resolve(prefill: str, **settings: str) -> tuple[ServingDeployment, ServingDeployment]:
    overrides = {"serving.chat.num_replicas": "2", "cluster.num_nodes": "2", "serving.chat.prefill": prefill}
    overrides |= {key.replace("__", "."): value for key, value in settings.items()}
    decode, prefilling = resolve_deployment(load(TEXT, overrides=overrides), "chat").pools
    return decode, prefilling


def test_what_is_left_out_is_that_of_the_decode_replicas() -> None:
    decode, prefill = resolve("{num_replicas: 3}", serving__chat__router="round_robin")
    assert (decode.num_replicas, prefill.num_replicas) == (2, 3)
    assert prefill.deployment == decode.deployment
    assert prefill.scheduler == decode.scheduler
    assert prefill.router == decode.router


def test_what_is_given_holds_for_the_prefill_replicas_alone() -> None:
    given = "{num_replicas: 1, parallelism: {tensor: 4}, router: random, scheduler: prefill_first}"
    decode, prefill = resolve(given)
    assert (decode.accelerators_per_replica, prefill.accelerators_per_replica) == (1, 4)
    assert isinstance(prefill.scheduler, PrefillFirst)
    assert isinstance(decode.scheduler, ChunkedPrefill)


def test_options_alone_are_those_of_the_policy_of_its_engine() -> None:
    _, prefill = resolve("{num_replicas: 1, scheduler: {max_num_seqs: 5}}")
    assert isinstance(prefill.scheduler, ChunkedPrefill)
    assert prefill.max_num_seqs == 5
    _, other = resolve("{num_replicas: 1, engine: sglang, scheduler: {max_num_seqs: 5}}")
    assert other.engine.name == "sglang"
    assert other.max_num_seqs == 5


def test_nodes_are_counted_for_both_pools() -> None:
    settings = {"serving.chat.num_replicas": "5", "serving.chat.prefill": "{num_replicas: 4}"}
    assert num_serving_nodes(load(TEXT, overrides={**settings, "cluster.num_nodes": "2"})) == 2


@pytest.mark.parametrize(
    ("prefill", "text"),
    [
        ("{num_replicas: 0}", r"prefill\.num_replicas: must be greater than 0"),
        ("{}", r"prefill\.num_replicas: a required key is missing"),
        ("{num_replicas: 1, replicas: 2}", r"prefill\.replicas: unknown key"),
        ("{num_replicas: 1, parallelism: {tensor: 3}}", r"prefill\.parallelism\.tensor: must divide"),
        (
            "{num_replicas: 1, scheduler: {max_num_batched_tokens: 10}}",
            r"prefill\.scheduler\.max_num_batched",
        ),
        ("{num_replicas: 1, engine: vlm}", r"prefill\.engine: .*Did you mean 'vllm'"),
    ],
)
def test_mistakes_are_told_with_their_place(prefill: str, text: str) -> None:
    with pytest.raises(ScenarioError, match=text):
        load(TEXT, overrides={"serving.chat.prefill": prefill})


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"reliability": "{node_mtbf: 100 h}"}, r"prefill: failures of replicas with prefill replicas"),
        (
            {
                "serving.chat.num_replicas": "4",
                "jobs": "{arrivals: {policy: poisson, rate: 1 /h, duration_mean: 1 h}}",
                "serving.chat.lending": "{idle: [{start: 1 min, duration: 1 min, replicas: 1}]}",
            },
            r"prefill: replicas that are lent cannot have prefill replicas",
        ),
        (
            {"serving.chat.scheduler": "{admission_wait: 4}"},
            r"scheduler\.admission_wait: .*Give it under serving\.chat\.prefill\.scheduler",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(settings: dict[str, str], text: str) -> None:
    with pytest.raises(ScenarioError, match=text):
        load(TEXT, overrides={"serving.chat.prefill": "{num_replicas: 1}", **settings})


def test_a_model_that_does_not_fit_into_a_prefill_replica_is_infeasible() -> None:
    with pytest.raises(InfeasibleError, match=r"serving\.chat\.prefill: does not fit on h100-sxm"):
        resolve(
            "{num_replicas: 1, parallelism: {tensor: 1}}",
            serving__chat__model="llama-3.1-70b",
            serving__chat__parallelism="{tensor: 4}",
        )


def test_a_prompt_that_does_not_fit_into_a_prefill_replica_is_infeasible() -> None:
    with pytest.raises(
        InfeasibleError, match=r"chat\.prefill: .* the prompt and its first token are 101 tokens"
    ):
        resolve("{num_replicas: 1, kv_cache: {num_blocks: 5}}")


def test_more_replicas_than_accelerators_are_infeasible() -> None:
    with pytest.raises(InfeasibleError, match=r"serving needs 102 accelerators"):
        resolve("{num_replicas: 100}")
