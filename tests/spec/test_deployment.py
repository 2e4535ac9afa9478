"""Deployments resolved from scenarios: defaults, memory, and what does not fit."""

import json
import re
from pathlib import Path

import pytest

from dcsim.catalog.loader import entry_mapping
from dcsim.errors import InfeasibleError, ScenarioError
from dcsim.formulas.datatypes import Datatype
from dcsim.formulas.memory import MemoryFit
from dcsim.plugins import policy_class
from dcsim.spec.deployment import ServingDeployment, memory_fit, resolve_deployment
from dcsim.spec.loader import load

CHAT: dict[str, object] = {
    "model": "llama-3.1-8b",
    "engine": "vllm",
    "num_replicas": 1,
    "traffic": {
        "arrivals": {"policy": "poisson", "rate": "1 /s"},
        "lengths": {"policy": "fixed", "prompt": 128, "output": 128},
        "num_requests": 10,
    },
}


def resolve(node: str = "dgx-h100", num_nodes: int = 2, **serving: object) -> ServingDeployment:
    cluster = {"node": node, "num_nodes": num_nodes}
    return resolve_deployment(
        load({"name": "test", "cluster": cluster, "serving": {"chat": CHAT | serving}}), "chat"
    )


def test_what_is_left_out_comes_from_the_engine() -> None:
    resolved = resolve()
    engine = resolved.engine
    assert (resolved.block_size, resolved.max_num_seqs) == (engine.block_size, engine.max_num_seqs)
    assert resolved.max_num_batched_tokens == engine.max_num_batched_tokens
    assert resolved.has_prefix_caching is engine.has_prefix_caching
    assert resolved.max_model_len == resolved.model.max_context_tokens


def test_what_is_given_overrides_the_engine() -> None:
    resolved = resolve(
        kv_cache={"block_size": 32, "prefix_caching": False, "num_blocks": 1000},
        scheduler={"policy": "sarathi", "max_num_seqs": 7, "max_num_batched_tokens": 512, "watermark": 0.01},
    )
    assert (resolved.block_size, resolved.max_num_seqs, resolved.max_num_batched_tokens) == (32, 7, 512)
    assert (resolved.num_blocks_per_lane, resolved.num_watermark_blocks) == (1000, 10)
    assert not resolved.has_prefix_caching


@pytest.mark.parametrize(
    ("name", "cache"),
    [("fp32", "fp32"), ("tf32", "fp32"), ("fp16", "fp16"), ("fp8", "bf16"), ("int8", "bf16")],
)
def test_one_datatype_alone_keeps_the_cache_in_what_can_be_stored(name: str, cache: str) -> None:
    deployment = resolve(precision=name).deployment
    assert (deployment.weights, deployment.activations, deployment.kv_cache) == (name, name, cache)


@pytest.mark.parametrize("engine", ["vllm", {"base": "vllm", "scheduler": "prefill_first"}])
def test_options_of_a_scheduler_without_a_name_are_those_of_the_engines_policy(engine: object) -> None:
    resolved = resolve(engine=engine, scheduler={"max_num_seqs": 7})
    assert isinstance(
        resolved.scheduler, policy_class("dcsim.policies.schedulers", resolved.engine.scheduler)
    )
    assert resolved.max_num_seqs == 7


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_num_seq": 7}, "max_num_seq: unknown key. Did you mean 'max_num_seqs'"),
        ({"max_num_seqs": True}, "max_num_seqs: must be a number"),
    ],
)
def test_wrong_options_of_a_scheduler_without_a_name_are_refused(options: object, message: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(message)):
        resolve(scheduler=options)


def test_memory_is_shared_out_without_rest() -> None:
    memory = resolve().memory
    used = memory.weight_bytes + memory.activation_bytes + memory.reserved_bytes + memory.kv_bytes
    assert used == pytest.approx(0.9 * memory.capacity_bytes)


def test_an_engine_may_take_its_share_of_the_free_memory() -> None:
    memory = resolve(engine="trtllm").memory
    free = memory.capacity_bytes - memory.weight_bytes - memory.activation_bytes - memory.reserved_bytes
    assert memory.kv_bytes == pytest.approx(0.9 * free)


def test_the_kv_cache_of_vllm_on_an_h100_has_the_order_that_vllm_prints() -> None:
    tokens = resolve().num_blocks_per_lane * 16
    assert 400_000 < tokens < 480_000  # Llama-3.1-8B in bf16, 0.9 of 80 GB


def test_lanes_of_a_pipeline_share_the_blocks_evenly() -> None:
    one = resolve(model="llama-3.1-70b", parallelism={"tensor": 4, "pipeline": 1})
    four = resolve(model="llama-3.1-70b", parallelism={"tensor": 4, "pipeline": 4})
    assert four.num_lanes == 4
    assert four.accelerators_per_replica == 16
    assert four.num_blocks_per_lane > one.num_blocks_per_lane  # a quarter of more than four times as many


def test_quantised_weights_keep_a_16_bit_cache_unless_told_otherwise() -> None:
    d = resolve(precision="fp8").deployment
    assert (d.weights, d.activations, d.kv_cache) == (Datatype.FP8, Datatype.FP8, Datatype.BF16)


def test_a_group_over_nodes_talks_over_the_network() -> None:
    inside = resolve(parallelism={"tensor": 8}).deployment.tensor_wire
    across = resolve(parallelism={"tensor": 16}).deployment.tensor_wire
    assert across.hop_s > inside.hop_s
    assert not across.has_in_network_reduction


def test_a_model_that_does_not_fit_says_by_how_much_and_what_would() -> None:
    with pytest.raises(
        InfeasibleError, match=r"\d+ bytes .*tensor: 2; or precision: fp8; or accelerator b200-sxm"
    ):
        resolve(model="llama-3.1-70b")


def test_a_remedy_fits() -> None:
    assert resolve(model="llama-3.1-70b", parallelism={"tensor": 2}).num_blocks_per_lane > 0


def test_a_datatype_that_the_accelerator_lacks_is_named_with_those_it_has() -> None:
    with pytest.raises(InfeasibleError, match=r"a100-sxm-80gb has no figures for fp8; it has .*bf16"):
        resolve("dgx-a100", model="deepseek-v3", parallelism={"tensor": 8})


def test_an_accelerator_without_any_wide_datatype_is_refused_like_any_other_lack(tmp_path: Path) -> None:
    narrow = {**entry_mapping("accelerators", "h100-sxm"), "peak_compute": {"fp8": "1979 TFLOP/s"}}
    (tmp_path / "narrow.yaml").write_text(json.dumps(narrow))
    chat = CHAT | {"precision": "fp8"}
    cluster = {"node": "dgx-h100", "num_nodes": 1, "accelerator": "narrow.yaml"}
    scenario = load({"name": "test", "cluster": cluster, "serving": {"chat": chat}}, folder=tmp_path)
    with pytest.raises(InfeasibleError, match="accelerator narrow has no figures for fp32; it has fp8"):
        resolve_deployment(scenario, "chat")


def test_a_request_may_be_as_long_as_the_kv_cache_and_one_token() -> None:
    assert resolve(kv_cache={"block_size": 16, "num_blocks": 20}).max_request_tokens == 321
    assert resolve(max_model_len=300).max_request_tokens == 300


def test_too_few_accelerators_are_counted() -> None:
    with pytest.raises(InfeasibleError, match=r"needs 40 accelerators .* has 16: use at least 5 nodes"):
        resolve(num_replicas=40)


def test_replicas_do_not_straddle_nodes_that_could_hold_them() -> None:
    with pytest.raises(InfeasibleError, match="needs 3 nodes for 5 replicas of 3"):
        resolve(model="codellama-34b", num_replicas=5, parallelism={"pipeline": 3})


def test_more_blocks_than_fit_are_infeasible() -> None:
    with pytest.raises(InfeasibleError, match=r"num_blocks: 10000000 blocks of 16 tokens do not fit, \d+ do"):
        resolve(kv_cache={"num_blocks": 10_000_000})


def test_fixed_lengths_beyond_the_kv_cache_are_infeasible() -> None:
    assert resolve(kv_cache={"num_blocks": 16}).max_request_tokens == 257
    with pytest.raises(InfeasibleError, match="are 256 tokens, more than the 241 that the KV cache has room"):
        resolve(kv_cache={"num_blocks": 15})


def test_a_profile_measured_on_another_kind_of_device_is_refused() -> None:
    reference = {
        "kind": "cpu",
        "device": "some processor",
        "memory": "8 GiB",
        "memory_bandwidth": "30 GB/s",
        "peak_compute": {"bf16": "1 TFLOP/s"},
        "num_compute_units": 1,
    }
    profile = {"base": "h100-sxm", "reference": reference}
    with pytest.raises(
        InfeasibleError, match=r"measured on a cpu \(some processor\), but accelerator h100-sxm"
    ):
        resolve(efficiency=profile)


def test_an_engines_own_kernels_come_before_the_accelerators_profile() -> None:
    assert resolve(engine="vllm").efficiency.name == "h100-sxm"
    assert resolve(engine="trtllm").efficiency.name == "h100-sxm-trtllm"
    assert resolve(engine="trtllm", efficiency="h100-sxm").efficiency.name == "h100-sxm"
    assert resolve(node="l40s-4x", engine="trtllm").efficiency.name == "l40s"


def fit(**serving: object) -> MemoryFit:
    cluster = {"node": "dgx-h100", "num_nodes": 1}
    return memory_fit(load({"name": "test", "cluster": cluster, "serving": {"chat": CHAT | serving}}), "chat")


def test_the_memory_of_a_model_that_fits_is_that_of_its_deployment() -> None:
    assert fit() == resolve().memory


def test_the_memory_of_a_model_that_does_not_fit_is_shared_out_all_the_same() -> None:
    found = fit(model="llama-3.1-405b")
    assert found.kv_bytes < 0 < found.weight_bytes


def test_too_few_accelerators_do_not_keep_from_sharing_out_the_memory() -> None:
    assert fit(num_replicas=9) == fit()


def test_a_missing_datatype_keeps_from_sharing_out_the_memory() -> None:
    with pytest.raises(InfeasibleError, match="nvfp4"):
        fit(precision="nvfp4")
