"""Parameter totals of the catalogue's models against those that were published."""

import re

import pytest

from dcsim.catalog.loader import entry_names, load_entry
from dcsim.catalog.model import Model
from dcsim.formulas.transformer import num_active_parameters, num_parameters

PUBLISHED = {  # model cards and reports: Llama 2 and 3.1, Qwen3, Mixtral, arXiv:2412.19437
    "llama-2-7b": 6.74e9,
    "llama-2-70b": 68.98e9,
    "llama-3.1-8b": 8.03e9,
    "llama-3.1-405b": 405.9e9,
    "qwen3-14b": 14.8e9,
    "qwen3-32b": 32.8e9,
    "mixtral-8x7b": 46.7e9,
    "mixtral-8x22b": 141e9,
    "deepseek-v3": 671e9,
}
PUBLISHED_ACTIVE = {"mixtral-8x7b": 12.9e9, "mixtral-8x22b": 39e9, "deepseek-v3": 37e9}


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


@pytest.mark.parametrize("name", [name for name in entry_names("models") if re.search(r"-\d+b$", name)])
def test_a_dense_model_is_about_as_large_as_its_name_says(name: str) -> None:
    billions = float(name.rsplit("-", 1)[1].removesuffix("b"))
    assert num_parameters(model(name).shape) == pytest.approx(billions * 1e9, rel=0.06)
