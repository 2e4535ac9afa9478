"""The worked examples of the how-to pages are entries that load."""

import re
from pathlib import Path

import pytest
import yaml

from dcsim.catalog.accelerator import Accelerator
from dcsim.catalog.loader import build_entry, entry_names, read_entry_file
from dcsim.catalog.model import Model
from dcsim.catalog.node import Node
from dcsim.errors import ScenarioError
from dcsim.formulas.transformer import num_active_parameters, num_parameters
from dcsim.spec.loader import load
from dcsim.study.run import run
from tests.study.scenarios_for_tests import TINY

DOCS = Path(__file__).resolve().parents[2] / "docs"
EXAMPLE = re.compile(r"```yaml\n# (?P<kind>\w+)/(?P<name>[\w.-]+)\.yaml\n(?P<text>.*?)```", re.DOTALL)
EXAMPLES = {
    f"{match['kind']}/{match['name']}": match["text"]
    for page in ("how-to-add-an-accelerator.md", "how-to-add-a-model.md")
    for match in EXAMPLE.finditer((DOCS / page).read_text(encoding="utf-8"))
}


def entry(example: str, folder: Path) -> object:
    kind, name = example.split("/")
    file = folder / f"{name}.yaml"
    file.write_text(EXAMPLES[example], encoding="utf-8")
    return build_entry(kind, read_entry_file(kind, file))


def test_the_pages_hold_the_examples_that_the_tests_below_know() -> None:
    assert EXAMPLES.keys() == {
        "accelerators/a100-pcie-80gb",
        "nodes/a100-pcie-4x",
        "models/qwen3-8b",
        "models/qwen3-30b-a3b",
    }


def test_the_accelerator_example_borrows_a_profile_of_the_catalogue(tmp_path: Path) -> None:
    accelerator = entry("accelerators/a100-pcie-80gb", tmp_path)
    assert isinstance(accelerator, Accelerator)
    assert accelerator.name == "a100-pcie-80gb"
    assert accelerator.efficiency in entry_names("efficiency")


def test_the_node_example_carries_the_accelerator_example_within_its_rating(tmp_path: Path) -> None:
    node, accelerator = entry("nodes/a100-pcie-4x", tmp_path), entry("accelerators/a100-pcie-80gb", tmp_path)
    assert isinstance(node, Node)
    assert isinstance(accelerator, Accelerator)
    assert node.accelerator == accelerator.name
    assert {node.scale_up, node.scale_out, node.host_link} <= set(entry_names("links"))
    rise_w = (1 + node.overhead_frac) * (accelerator.tdp_w - accelerator.idle_w)
    assert node.host_idle_w + node.num_accelerators * (accelerator.idle_w + rise_w) < node.rated_w


@pytest.mark.parametrize(
    ("name", "total", "active"), [("qwen3-8b", 8.2e9, 8.2e9), ("qwen3-30b-a3b", 30.5e9, 3.3e9)]
)
def test_the_model_examples_have_the_parameters_of_their_model_cards(
    name: str, total: float, active: float, tmp_path: Path
) -> None:
    model = entry(f"models/{name}", tmp_path)
    assert isinstance(model, Model)
    assert num_parameters(model.shape) == pytest.approx(total, rel=0.01)
    assert num_active_parameters(model.shape) == pytest.approx(active, rel=0.02)


@pytest.mark.parametrize("number", [0, 1])
def test_the_cluster_sections_of_the_accelerator_page_use_the_file_beside_the_scenario(
    number: int, tmp_path: Path
) -> None:
    for example in ("accelerators/a100-pcie-80gb", "nodes/a100-pcie-4x"):
        (tmp_path / f"{example.split('/')[1]}.yaml").write_text(EXAMPLES[example], encoding="utf-8")
    page = (DOCS / "how-to-add-an-accelerator.md").read_text(encoding="utf-8")
    section = yaml.safe_load(re.findall(r"```yaml\n(cluster:.*?)```", page, re.DOTALL)[number])
    scenario = load(TINY, overrides={**section, "economics": None}, folder=tmp_path)
    assert scenario.cluster.installed_accelerator.name == "a100-pcie-80gb"
    assert scenario.cluster.node.name.startswith(("dgx-a100", "a100-pcie-4x"))


def test_a_node_beside_the_scenario_cannot_name_an_accelerator_beside_it(tmp_path: Path) -> None:
    for example in ("accelerators/a100-pcie-80gb", "nodes/a100-pcie-4x"):
        (tmp_path / f"{example.split('/')[1]}.yaml").write_text(EXAMPLES[example], encoding="utf-8")
    with pytest.raises(ScenarioError, match="no entry of that name among accelerators"):
        load(TINY, overrides={"cluster.node": "a100-pcie-4x.yaml"}, folder=tmp_path)


@pytest.mark.parametrize(
    ("example", "settings"),
    [
        (
            "accelerators/a100-pcie-80gb",
            {"cluster.node": "dgx-a100", "cluster.accelerator": "a100-pcie-80gb.yaml"},
        ),
        ("models/qwen3-8b", {"serving.chat.model": "qwen3-8b.yaml"}),
        ("models/qwen3-30b-a3b", {"serving.chat.model": "qwen3-30b-a3b.yaml"}),
    ],
)
def test_an_example_beside_the_scenario_is_simulated(
    example: str, settings: dict[str, object], tmp_path: Path
) -> None:
    entry(example, tmp_path)
    scenario = load(TINY, overrides={**settings, "economics": None}, folder=tmp_path)
    result = run(scenario, num_processes=1)
    kind, name = example.split("/")
    assert name in {one["name"] for one in result.summary["provenance"]["entries"] if one["kind"] == kind}
    assert result.serving["chat"].num_finished.value > 0
