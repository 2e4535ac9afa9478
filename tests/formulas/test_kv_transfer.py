"""Bytes of KV caches, by hand, and the strands in which they go."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.formulas.kv_transfer import kv_transfer_bytes, strand_frac, strands
from dcsim.spec.deployment import resolve_deployment
from tests.metrics.by_hand import scenario


def num_bytes(model: str, tensor: int, num_tokens: float, node: str = "dgx-h200", **serving: object) -> float:
    given_ = scenario(
        cluster__node=node,
        cluster__num_nodes=4,
        serving__chat={
            "model": model,
            "engine": "vllm",
            "num_replicas": 1,
            "parallelism": {"tensor": tensor},
            "traffic": {
                "arrivals": {"policy": "poisson", "rate": "1 /s"},
                "lengths": {"policy": "fixed", "prompt": 100, "output": 10},
            },
            **serving,
        },
    )
    return kv_transfer_bytes(resolve_deployment(given_, "chat").deployment, num_tokens)


@pytest.mark.parametrize("tensor", [1, 2, 4, 8])
def test_heads_that_are_split_are_sent_once(tensor: int) -> None:
    assert num_bytes("llama-3.1-8b", tensor, 1000) == 2 * 8 * 128 * 32 * 2 * 1000


def test_heads_that_are_copied_are_sent_to_every_rank() -> None:
    assert num_bytes("llama-3.1-8b", 16, 1000) == 2 * num_bytes("llama-3.1-8b", 8, 1000)


def test_a_narrower_cache_is_half_the_bytes() -> None:
    narrow = {"base": "bf16", "kv_cache": "fp8"}
    assert num_bytes("llama-3.1-8b", 1, 10, precision=narrow) == num_bytes("llama-3.1-8b", 1, 10) / 2


def test_the_latent_of_mla_is_sent_to_every_rank() -> None:
    latent = (512 + 64) * 61 * 2  # rank and rotary part, layers, bytes
    assert num_bytes("deepseek-v3", 16, 100, precision="fp8") == 16 * latent * 100


def test_states_of_linear_attention_do_not_depend_on_the_prompt() -> None:
    one, two, three = (num_bytes("qwen3.5-397b-a17b", 8, tokens, precision="fp8") for tokens in (10, 20, 30))
    assert two - one == pytest.approx(three - two)
    assert 2 * one - two > 0


@given(st.integers(1, 64), st.integers(1, 64))
def test_strands_use_every_accelerator_evenly(sources: int, destinations: int) -> None:
    found = strands(sources, destinations)
    assert {one for one, _ in found} == set(range(sources))
    assert {one for _, one in found} == set(range(destinations))
    for side in zip(*found, strict=True):
        counts = [side.count(one) for one in set(side)]
        assert max(counts) - min(counts) <= 1
        assert max(counts) * strand_frac(sources, destinations) <= 1
