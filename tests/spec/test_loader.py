import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.errors import ScenarioError
from dcsim.spec.loader import load, parse_setting
from dcsim.spec.scenario import Scenario
from tests.spec.scenarios import TEXT, changed, write


def outcome(source):
    """The scenario, or the error that says why there is none."""
    try:
        return load(source)
    except ScenarioError as error:
        return error


def refusal(source, **options):
    with pytest.raises(ScenarioError) as caught:
        load(source, **options)
    return str(caught.value)


def test_a_file_a_text_and_a_mapping_are_the_same_scenario(tmp_path):
    path = write(tmp_path, "s.yaml", TEXT)

    assert load(path) == load(str(path)) == load(TEXT) == load(load(TEXT).document)


@pytest.mark.parametrize(
    ("old", "new", "line", "text"),
    [
        ("num_nodes: 1", "num_node: 1", 5, "cluster.num_node: unknown key. Did you mean 'num_nodes'?"),
        ("num_nodes: 1", "num_nodes: 0", 5, "cluster.num_nodes: must be greater than 0 (got 0)"),
        ("num_nodes: 1", "num_nodes: -1", 5, "cluster.num_nodes: must be greater than 0 (got -1)"),
        ("num_nodes: 1", "num_nodes: 1.5", 5, "cluster.num_nodes: must be a whole number (got 1.5)"),
        ("num_nodes: 1", "num_nodes: true", 5, "cluster.num_nodes: must be a number (got True)"),
        ("num_nodes: 1", "num_nodes: null", 5, "cluster.num_nodes: must be a whole number, not null"),
        (
            "num_replicas: 8",
            "num_replicas: 0",
            10,
            "serving.chat.num_replicas: must be greater than 0 (got 0)",
        ),
        ("rate: 4 /s", "rate: 0 /s", 14, "serving.chat.traffic.arrivals.rate: must be greater than 0 /s"),
        (
            "rate: 4 /s",
            "rate: 4",
            14,
            "serving.chat.traffic.arrivals.rate: a unit is missing (got 4). Write for",
        ),
        ("rate: 4 /s", "rate: 4 ms", 14, "serving.chat.traffic.arrivals.rate: 'ms' does not measure"),
        ("rate: 4 /s", "rate: .nan", 14, "serving.chat.traffic.arrivals.rate: must be finite (got nan)"),
        (
            "rate: 4 /s",
            "rat: 4 /s",
            14,
            "serving.chat.traffic.arrivals.rat: unknown key. Did you mean 'rate'?",
        ),
        (
            "rate: 4 /s",
            "mean: 4 /s",
            14,
            "serving.chat.traffic.arrivals.rate: a required key is missing. Mean",
        ),
        ("duration: 10 min", "duration: .inf", 2, "duration: must be finite (got inf)"),
        ("duration: 10 min", "duration: -1 s", 2, "duration: must be greater than 0 s (got '-1 s')"),
        ("duration: 10 min", "duration: 10 Gbps", 2, "duration: 'Gbps' is ambiguous"),
        (
            "router: random",
            "router: randon",
            11,
            "serving.chat.router: unknown policy 'randon'. Did you mean",
        ),
        ("name: small", "name: 5", 1, "name: must be text (got 5). Put it in quotes"),
        ("cluster:", "clutser:", 3, "clutser: unknown key. Did you mean 'cluster'?"),
        (
            "node: dgx-h100",
            "node: dgx-h10",
            4,
            "cluster.node: no 'dgx-h10' among nodes. Did you mean 'dgx-h100'?",
        ),
        ("us-iowa", "{base: us-iowa, pue: 0.2}", 16, "facility.site.pue: must be at least 1.0 (got 0.2)"),
        ("us-iowa", "{base: us-iowa, peu: 1}", 16, "facility.site.peu: unknown key. Did you mean 'pue'?"),
        ("us-iowa", "{base: us-io}", 16, "facility.site.base: no 'us-io' among sites"),
    ],
)
def test_a_mistake_is_told_with_its_line_path_value_and_remedy(old, new, line, text):
    assert f"<text>:{line}: {text}" in refusal(changed((old, new)))


def test_all_mistakes_of_a_file_are_told_at_once_in_its_order():
    changes = [
        ("10 min", "10"),
        ("num_nodes: 1", "num_nodes: 0"),
        ("8b", "9b"),
        ("4 /s", "-4 /s"),
        ("us-", "su-"),
    ]

    lines = [int(line.split(":")[1]) for line in refusal(changed(*changes)).splitlines()]

    assert lines == [2, 5, 8, 14, 16]


def test_no_message_shows_the_validators_own_words():
    text = refusal(changed(("owned-2026", "{base: on-demand-2026, kind: owned, accelerator_price: {x: 5}}")))

    assert not any(word in text for word in ("function-", "Input should", "tagged-union", "[key]"))


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (" \n", "is empty"),
        ("- a\n", "must be a mapping"),
        ("{}", "cluster: a required key is missing"),
        ("a: 1\na: 2\n", "twice"),
        ("a: &a [b]\nc: [*a]\n", "aliases"),
    ],
)
def test_text_that_is_no_scenario_is_refused(text, hint):
    assert hint in refusal(text)


@pytest.mark.parametrize("path", ["missing.yaml", ".", "", "nul\0", "x" * 5000])
def test_a_path_without_a_file_is_refused(path):
    assert refusal(path)


def test_settings_lie_over_the_file(tmp_path):
    settings = {"serving.chat.num_replicas": "2", "serving.chat.slo": "{e2e: 5 s}", "duration": "1 h"}

    scenario = load(write(tmp_path, "s.yaml", TEXT), overrides=settings)

    assert (scenario.serving["chat"].num_replicas, scenario.duration_s) == (2, 3600)
    assert (scenario.serving["chat"].slo.ttft_s, scenario.serving["chat"].slo.e2e_s) == (None, 5)


def test_setting_below_a_name_varies_what_it_names():
    settings = {"cluster.node.accelerator": "h200-sxm", "serving.chat.router.policy": "round_robin"}

    scenario = load(TEXT, overrides=settings)

    assert scenario.cluster.node.accelerator == "h200-sxm"
    assert scenario.document["cluster"]["node"] == {"base": "dgx-h100", "accelerator": "h200-sxm"}
    assert scenario.document["serving"]["chat"]["router"] == {"policy": "round_robin"}


@pytest.mark.parametrize(
    ("path", "value", "hint"),
    [
        ("serving.chat.num_replica", "1", "--set: serving.chat.num_replica: unknown key"),
        ("serving.chta.num_replicas", "1", "--set: serving.chta: no such name. Did you mean 'chat'?"),
        ("duration.x", "1", "--set: duration: nothing can be set below"),
        ("serving..x", "1", "an empty key"),
        ("seed", "[1,", "--set: seed: is not YAML"),
        ("seed", "-1", "--set: seed: must be at least 0 (got -1)"),
    ],
)
def test_a_wrong_setting_is_told_as_such(path, value, hint):
    assert hint in refusal(TEXT, overrides={path: value})


def test_a_setting_reaches_into_a_list():
    stages = "{policy: rate_stages, stages: [{rate: 1 /s, duration: 1 min}, {rate: 2 /s, duration: 1 min}]}"
    text = changed(("{policy: poisson, rate: 4 /s}", stages))
    path = "serving.chat.traffic.arrivals.stages"

    document = load(text, overrides={f"{path}.1.rate": "3 /s"}).document

    assert document["serving"]["chat"]["traffic"]["arrivals"]["stages"][1]["rate"] == "3 /s"
    assert "numbered from 0 to 1" in refusal(text, overrides={f"{path}.2.rate": "3 /s"})


def test_the_text_of_a_setting_is_a_path_and_a_value():
    assert parse_setting("a.b = {c: d=e}") == ("a.b", "{c: d=e}")


@pytest.mark.parametrize("text", ["a", "=1", " = 1", ""])
def test_a_setting_without_path_and_value_is_refused(text):
    with pytest.raises(ScenarioError, match=r"a\.b\.c=value"):
        parse_setting(text)


def test_replacing_gives_a_new_scenario_and_leaves_the_old():
    old = load(TEXT)

    new = old.replace({"serving.chat.num_replicas": 2, "question": "null: what?"})

    assert (old.serving["chat"].num_replicas, new.serving["chat"].num_replicas) == (8, 2)
    assert new.question == "null: what?"


def test_replacing_is_checked():
    with pytest.raises(
        ScenarioError, match=r"<replace>: serving\.chat\.num_replicas: must be greater than 0"
    ):
        load(TEXT).replace({"serving.chat.num_replicas": 0})


def test_a_scenario_survives_the_way_between_processes():
    scenario = load(TEXT).replace({"seed": 5})

    copied = pickle.loads(pickle.dumps(scenario))

    assert copied == scenario
    assert copied.replace({"seed": 6}).seed == 6


@pytest.mark.parametrize("value", [object(), {1: 2}, b"x", {1, 2}, "\ud800", {"\ud800": 1}])
def test_a_mapping_of_other_things_is_refused(value):
    assert "<mapping>: name" in refusal({"name": value})


def test_a_mapping_that_holds_itself_is_refused():
    mapping: dict[str, object] = {}
    mapping["a"] = mapping

    assert "nested deeper" in refusal(mapping)


@given(st.text())
def test_any_text_is_a_scenario_or_a_scenario_error(text):
    result = outcome(text + "\n")

    assert isinstance(result, Scenario) or all(str(problem).isprintable() for problem in result.problems)


scalars = st.sampled_from(
    ["", "0", "-1", "1e999", ".nan", "true", "~", "{}", "[]", "[{}]", "x", "5 s", "{base: x}"]
)


@given(st.integers(0, TEXT.count("\n") - 1), scalars)
def test_any_value_in_any_line_is_a_scenario_or_a_scenario_error(number, value):
    lines = TEXT.splitlines()
    lines[number] = lines[number].split(":")[0] + ": " + value

    result = outcome("\n".join(lines) + "\n")

    assert isinstance(result, Scenario) or all(problem.line for problem in result.problems)


@given(st.integers(0, len(TEXT)), st.integers(0, 40), st.text(max_size=20))
def test_any_damage_is_a_scenario_or_a_scenario_error(start, length, patch):
    result = outcome(TEXT[:start] + patch + TEXT[start + length :] + "\n")

    assert isinstance(result, Scenario) or result.problems
