import json

import pytest

from dcsim.catalog.loader import load_entry
from dcsim.errors import ScenarioError
from dcsim.spec.loader import load
from tests.catalog.test_hugging_face import LLAMA_2_70B
from tests.spec.scenarios import TEXT, changed, write


def with_node(folder, node):
    return load(write(folder, "s.yaml", changed(("dgx-h100", node))))


def test_a_name_is_the_catalogue_entry():
    assert load(TEXT).cluster.node is load_entry("nodes", "dgx-h100")


def test_a_variation_differs_in_the_fields_it_names(tmp_path):
    node = with_node(tmp_path, "{base: dgx-h100, num_nics: 4}").cluster.node

    assert node == load_entry("nodes", "dgx-h100").model_copy(update={"num_nics": 4})


def test_a_variation_may_say_its_source(tmp_path):
    node = with_node(tmp_path, "{base: dgx-h100, num_nics: {value: 4, source: our order}}").cluster.node

    assert node.num_nics == 4


def test_a_file_beside_the_scenario_is_an_entry(tmp_path):
    write(tmp_path, "mine.yaml", "base: dgx-h100\nnum_nics: 4\n")

    assert with_node(tmp_path, "mine.yaml").cluster.node.num_nics == 4
    assert with_node(tmp_path, "{base: mine.yaml, num_nics: 2}").cluster.node.num_nics == 2


def test_a_mistake_in_an_own_file_points_there(tmp_path):
    write(tmp_path, "mine.yaml", "base: dgx-h100\nnum_nics: 0\n")

    with pytest.raises(ScenarioError, match=r"mine\.yaml:2: num_nics: must be greater than 0"):
        with_node(tmp_path, "mine.yaml")


def test_a_model_may_be_a_hugging_face_config(tmp_path):
    write(tmp_path, "config.json", json.dumps(LLAMA_2_70B))
    text = changed(("llama-3.1-8b", "config.json"))

    assert load(write(tmp_path, "s.yaml", text)).serving["chat"].model.num_layers == 80


def test_only_models_are_read_from_json(tmp_path):
    write(tmp_path, "config.json", "{}")

    with pytest.raises(ScenarioError, match="only models"):
        with_node(tmp_path, "config.json")


@pytest.mark.parametrize(
    "node",
    [
        "../outside.yaml",
        "/etc/hostname.yaml",
        "{base: ../outside.yaml, num_nics: 4}",
        "../../etc/passwd",
        "nodes/dgx-h100",
        "..",
        '"nul\\0.yaml"',
        "link.yaml",
    ],
)
def test_no_path_leads_outside_the_scenarios_folder(tmp_path, node):
    folder = tmp_path / "inside"
    folder.mkdir()
    outside = write(tmp_path, "outside.yaml", "base: dgx-h100\n")
    (folder / "link.yaml").symlink_to(outside)

    with pytest.raises(ScenarioError, match=r"cluster\.node: (lies outside|is neither|is not a usable path)"):
        with_node(folder, node)


@pytest.mark.parametrize("node", ["5", "[dgx-h100]", "{}", "{num_nics: 4}", "{base: 5}", "null", "true"])
def test_what_is_no_reference_is_refused(tmp_path, node):
    with pytest.raises(
        ScenarioError, match=r"cluster\.node: must be a name of nodes, a file, or {base: NAME"
    ):
        with_node(tmp_path, node)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(ScenarioError, match=r"mine\.yaml: no such file"):
        with_node(tmp_path, "mine.yaml")
