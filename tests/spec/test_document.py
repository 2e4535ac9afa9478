import pytest

from dcsim.errors import ScenarioError
from dcsim.spec.loader import load
from tests.spec.scenarios import TEXT, changed, write


def child(folder, text, name="child.yaml"):
    return load(write(folder, name, "base: parent.yaml\n" + text))


@pytest.fixture
def folder(tmp_path):
    write(tmp_path, "parent.yaml", TEXT)
    return tmp_path


def test_a_scenario_inherits_what_it_does_not_say(folder):
    scenario = child(folder, "name: child\nserving: {chat: {num_replicas: 4}}\n")

    assert (scenario.name, scenario.serving["chat"].num_replicas) == ("child", 4)
    assert scenario.document == load(TEXT).replace({"name": "child", "serving.chat.num_replicas": 4}).document


def test_bases_have_bases(folder):
    write(folder, "middle.yaml", "base: parent.yaml\nseed: 7\n")

    assert load(write(folder, "top.yaml", "base: middle.yaml\nname: top\n")).seed == 7


def test_another_policy_replaces_the_bases_with_its_options(folder):
    scenario = child(
        folder,
        "serving: {chat: {traffic: {lengths: {policy: lognormal, prompt_mean: 9, output_mean: 9, cv: 1}}}}",
    )

    assert "prompt" not in scenario.document["serving"]["chat"]["traffic"]["lengths"]


def test_options_alone_vary_the_bases_policy(folder):
    scenario = child(folder, "serving: {chat: {traffic: {lengths: {output: 20}}}}")

    assert scenario.document["serving"]["chat"]["traffic"]["lengths"] == {
        "policy": "fixed",
        "prompt": 100,
        "output": 20,
    }


def test_fields_alone_vary_the_bases_entry(folder):
    assert child(folder, "cluster: {node: {num_nics: 4}}").document["cluster"]["node"] == {
        "base": "dgx-h100",
        "num_nics": 4,
    }


def test_another_entry_replaces_a_varied_one(folder):
    write(folder, "parent.yaml", changed(("node: dgx-h100", "node: {base: dgx-h100, num_nics: 4}")))

    assert child(folder, "cluster: {node: {base: dgx-h200}}").cluster.node.num_nics == 8


def test_null_takes_a_section_back(folder):
    assert child(folder, "economics: null").economics is None


def test_mistakes_point_at_the_file_in_which_they_stand(folder):
    write(folder, "parent.yaml", changed(("num_nodes: 1", "num_nodes: 0")))

    with pytest.raises(ScenarioError) as caught:
        child(folder, "seed: -1\n")

    assert [(problem.file.rsplit("/")[-1], problem.line) for problem in caught.value.problems] == [
        ("child.yaml", 2),
        ("parent.yaml", 5),
    ]


def test_a_replaced_part_leaves_no_line_of_the_base_behind(folder):
    with pytest.raises(ScenarioError, match=r"child\.yaml:2: .*rate: a required key is missing"):
        child(folder, "serving: {chat: {traffic: {arrivals: {policy: constant}}}}")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("base: nowhere.yaml\n", r"s\.yaml:1: base: no such file \(got 'nowhere.yaml'\)"),
        ("base: [a]\n", "base: must be the path of a scenario file"),
        ("base: s.yaml\n", "base: inherits from itself"),
        ('base: "a\\0b"\n', "base: no such file"),
    ],
)
def test_a_wrong_base_is_refused(tmp_path, text, hint):
    with pytest.raises(ScenarioError, match=hint):
        load(write(tmp_path, "s.yaml", text))


def test_a_circle_of_bases_is_refused(tmp_path):
    write(tmp_path, "a.yaml", "base: b.yaml\n")
    write(tmp_path, "b.yaml", "base: a.yaml\n")

    with pytest.raises(ScenarioError, match="inherits from itself"):
        load(tmp_path / "a.yaml")


def test_files_named_by_a_base_start_at_its_folder(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    write(shared, "node.yaml", "base: dgx-h100\nnum_nics: 4\n")
    write(shared, "parent.yaml", changed(("node: dgx-h100", "node: node.yaml")))

    scenario = load(write(tmp_path, "child.yaml", "base: shared/parent.yaml\nname: child\n"))

    assert scenario.cluster.node.num_nics == 4
    assert scenario.document["cluster"]["node"] == "shared/node.yaml"


def test_documents_are_equal_by_value_wherever_they_stand(tmp_path):
    assert load(write(tmp_path, "s.yaml", "\n\n" + TEXT)) == load(TEXT)


def test_the_document_is_the_callers_own():
    scenario = load(TEXT)

    scenario.document["cluster"] = None

    assert scenario.document["cluster"] == {"node": "dgx-h100", "num_nodes": 1}


def test_relative_names_start_at_the_files_folder_unless_told_otherwise(tmp_path):
    path = write(tmp_path, "s.yaml", TEXT)

    assert load(path).folder == tmp_path
    assert load(path, folder=tmp_path / "x").folder == tmp_path / "x"
