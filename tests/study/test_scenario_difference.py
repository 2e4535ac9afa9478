from hypothesis import given
from hypothesis import strategies as st

from dcsim.study.scenario_difference import ScenarioDifference, scenario_differences, unique_labels


def test_differences_are_told_by_dotted_path_with_both_values():
    document = {"name": "a", "cluster": {"node": "x", "num_nodes": 1}, "economics": {"prices": "p"}}
    baseline = {"name": "b", "question": "?", "cluster": {"node": "y", "num_nodes": 1}, "seed": 1}
    assert scenario_differences(document, baseline) == (
        ScenarioDifference("cluster.node", "x", "y"),
        ScenarioDifference("seed", None, 1),
        ScenarioDifference("economics", {"prices": "p"}, None),
    )


def test_a_truth_value_is_no_number():
    assert scenario_differences({"x": True}, {"x": 1}) == (ScenarioDifference("x", True, 1),)
    assert scenario_differences({"x": 1.0}, {"x": 1}) == ()


def test_labels_are_names_where_these_differ():
    assert unique_labels(["a", "b"], [{}, {"seed": 2}]) == ("a", "b")


def test_labels_of_one_name_say_what_differs():
    documents = [
        {"duration": 1, "cluster": {"node": "x"}},
        {"duration": 2, "cluster": {"node": {"base": "y"}}},
    ]
    assert unique_labels(["a", "a"], documents) == ("a: node x", "a: node y")


def test_labels_of_variants_of_the_first_say_what_each_changes():
    documents = [{"node": "x", "rate": 1}, {"node": "y", "rate": 1}, {"node": "x", "rate": 2}]
    assert unique_labels(["a"] * 3, documents) == ("a", "a: node y", "a: rate 2")


def test_the_same_scenario_again_is_numbered():
    documents = [{"node": "x"}, {"node": "y"}, {"node": "x"}]
    assert unique_labels(["a"] * 3, documents) == ("a: node x", "a: node y", "a: node x #3")


def test_what_cannot_be_told_apart_is_numbered():
    assert unique_labels(["a", "b", "a"], [{"x": 1}] * 3) == ("a", "b", "a #3")


SCENARIOS = st.tuples(
    st.sampled_from(["a", "a #2", "a #3", "a: node x"]),
    st.dictionaries(st.sampled_from(["node", "rate", "base"]), st.sampled_from(["x", 1, [2], None])),
)


@given(st.lists(SCENARIOS, min_size=2, max_size=8))
def test_labels_are_unique_whatever_the_scenarios(scenarios: list[tuple[str, dict[str, object]]]):
    labels = unique_labels([name for name, _ in scenarios], [document for _, document in scenarios])
    assert len(set(labels)) == len(scenarios)
