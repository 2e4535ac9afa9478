"""Parameter totals of the catalogue's models against those that were published."""

import re

import pytest

from dcsim.catalog.loader import entry_names, load_entry
from dcsim.catalog.model import Model
from dcsim.catalog.trained_model import EncoderDecoder
from dcsim.formulas.transformer import num_active_parameters, num_parameters

# Model cards and reports: Llama 2, 3.1 and 4, Qwen2.5 (arXiv:2412.15115), Qwen3, Mixtral, DeepSeek-V3
# (arXiv:2412.19437), gpt-oss (arXiv:2508.10925), Kimi K2 (arXiv:2507.20534), MiniMax-M2, GLM-5. Those of
# Llama 4 count 0.9B of the vision encoder, which Hugging Face lists with 108.6B and 401.6B in all.
PUBLISHED = {
    "llama-2-7b": 6.74e9,
    "llama-2-70b": 68.98e9,
    "llama-3.1-8b": 8.03e9,
    "llama-3.1-405b": 405.9e9,
    "qwen3-14b": 14.8e9,
    "qwen3-32b": 32.8e9,
    "mixtral-8x7b": 46.7e9,
    "mixtral-8x22b": 141e9,
    "deepseek-v3": 671e9,
    "deepseek-r1": 671e9,
    "qwen2.5-7b": 7.61e9,
    "qwen3-8b": 8.2e9,
    "qwen3-30b-a3b": 30.5e9,
    "qwen3-coder-30b-a3b": 30.5e9,
    "qwen3-235b-a22b": 235e9,
    "qwen3-coder-480b-a35b": 480e9,
    "gpt-oss-20b": 20.91e9,
    "gpt-oss-120b": 116.83e9,
    "llama-4-scout-17b-16e": 108.6e9 - 0.86e9,
    "llama-4-maverick-17b-128e": 401.6e9 - 0.86e9,
    "glm-5": 744e9,
    "qwen3.5-397b-a17b": 397e9,
    "mpt-70b": 64.862e9,  # mosaicml/llm-foundry, scripts/train/benchmarking/README.md
    "palm-540b": 540.35e9,  # arXiv:2204.02311, table 1
    "bloom-176b": 176.25e9,  # arXiv:2211.05100, table 3
    "deepseek-v2": 235.7e9,  # Hugging Face, deepseek-ai/DeepSeek-V2
}
PUBLISHED_ACTIVE = {
    "mixtral-8x7b": 12.9e9,
    "mixtral-8x22b": 39e9,
    "deepseek-v3": 37e9,
    "deepseek-r1": 37e9,
    "qwen3-30b-a3b": 3.3e9,
    "qwen3-coder-30b-a3b": 3.3e9,
    "qwen3-235b-a22b": 22e9,
    "qwen3-coder-480b-a35b": 35e9,
    "llama-4-scout-17b-16e": 17e9,
    "llama-4-maverick-17b-128e": 17e9,
    "kimi-k2.5": 32.9e9,
    "qwen3.5-397b-a17b": 17e9,
}
PUBLISHED_ROUNDED = {"kimi-k2.5": 1.04e12, "minimax-m2.5": 230e9, "mistral-nemo-12b": 12.2e9}
PUBLISHED_WITHOUT_EMBEDDING = [  # arXiv:2508.10925, table 1; model card of GLM-5
    ("gpt-oss-20b", 3.61e9, 0.003),
    ("gpt-oss-120b", 5.13e9, 0.003),
    ("glm-5", 40e9, 0.03),
]


def model(name: str) -> Model:
    entry = load_entry("models", name)
    assert isinstance(entry, Model)
    return entry


@pytest.mark.parametrize(("name", "total"), PUBLISHED.items())
def test_a_shape_has_the_published_number_of_parameters(name: str, total: float) -> None:
    assert num_parameters(model(name).shape) == pytest.approx(total, rel=0.003)


@pytest.mark.parametrize(("name", "active"), PUBLISHED_ACTIVE.items())
def test_a_token_touches_the_published_number_of_parameters(name: str, active: float) -> None:
    assert num_active_parameters(model(name).shape) == pytest.approx(active, rel=0.03)


@pytest.mark.parametrize(("name", "total"), PUBLISHED_ROUNDED.items())
def test_a_shape_has_about_the_number_of_parameters_that_was_published_rounded(
    name: str, total: float
) -> None:
    assert num_parameters(model(name).shape) == pytest.approx(total, rel=0.015)


@pytest.mark.parametrize(("name", "active", "tolerance"), PUBLISHED_WITHOUT_EMBEDDING)
def test_some_count_the_head_but_not_the_embedding_as_active(
    name: str, active: float, tolerance: float
) -> None:
    shape = model(name).shape
    embedding = shape.vocab_size * shape.hidden_size
    assert num_active_parameters(shape) - embedding == pytest.approx(active, rel=tolerance)


NAMED_BY_SIZE = [
    name
    for name in entry_names("models")
    if re.search(r"-[\d.]+b$", name) and name not in {*PUBLISHED, "mpt-1b"}  # of 1.3 billion
]


@pytest.mark.parametrize("name", NAMED_BY_SIZE)
def test_a_dense_model_is_about_as_large_as_its_name_says(name: str) -> None:
    billions = float(name.rsplit("-", 1)[1].removesuffix("b"))
    entry = load_entry("models", name)
    size = entry.workload.num_parameters if isinstance(entry, EncoderDecoder) else num_parameters(entry.shape)
    assert size == pytest.approx(billions * 1e9, rel=0.06)
