import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dcsim import strict_yaml
from dcsim.errors import ScenarioError
from dcsim.strict_yaml import MAX_BYTES, MAX_DEPTH, read_yaml, read_yaml_file, scalar


@pytest.fixture(params=["libyaml", "python"])
def _parser(request, monkeypatch):
    if request.param == "python":
        monkeypatch.setattr(strict_yaml, "_LOADER", yaml.SafeLoader)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e9", 1e9),
        ("1.5e-3", 1.5e-3),
        ("24:00", "24:00"),
        ("1_000", "1_000"),
        ("no", "no"),
        ("on", "on"),
        ("2026-01-01", "2026-01-01"),
        ("0o17", 15),
        ("017", 17),
        ("0x1F", 31),
        ("+12", 12),
        (".5", 0.5),
        ("-.inf", float("-inf")),
        ("true", True),
        ("~", None),
        ("", None),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_a_scalar_is_read_by_the_core_schema_of_yaml_1_2(text, value):
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)


@pytest.mark.usefixtures("_parser")
def test_every_value_knows_its_line():
    located = read_yaml("a: 1\nb:\n  c: [x,\n    y]\n  d: 'no'\n", "f.yaml")

    assert located.value == {"a": 1, "b": {"c": ["x", "y"], "d": "no"}}
    assert located.lines[("b", "c", 1)] == 4
    assert located.lines[("b", "d")] == 5


@pytest.mark.usefixtures("_parser")
@pytest.mark.parametrize(
    ("text", "line", "hint"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "twice, first on line 1"),
        ("b: {c: 1,\n c: 2}", 2, "twice"),
        ("a: &x 1\n", 1, "anchors"),
        ("a: [*x]\n", 1, "aliases"),
        ("a: !!python/object/apply:os.system [ls]\n", 1, "tags"),
        ("a:\n  <<: {b: 1}\n", 2, "merge keys"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("1: a\n", 1, "a key must be text"),
        ("null: a\n", 1, "a key must be text"),
        ("? [a, b]\n: c\n", 1, "a key must be text"),
        ("a: 1\n b: 2\n", 2, "is not YAML"),
        ("a: [1,\n", 2, "is not YAML"),
        ("a: b\n\x00", 2, "binary"),
        ("[" * (MAX_DEPTH + 2), 1, "nested deeper"),
        ("{a: " * (MAX_DEPTH + 2), 1, "nested deeper"),
    ],
)
def test_a_trap_is_refused_with_its_line(text, line, hint):
    with pytest.raises(ScenarioError, match=hint) as caught:
        read_yaml(text, "f.yaml")

    assert (caught.value.problems[0].file, caught.value.problems[0].line) == ("f.yaml", line)


def test_all_refusals_of_a_file_are_told_at_once():
    with pytest.raises(ScenarioError) as caught:
        read_yaml("a: &x 1\na: *x\nb: !!str 2\n", "f.yaml")

    assert [problem.line for problem in caught.value.problems] == [1, 2, 2, 3]


def test_a_bomb_is_refused_before_it_grows():
    bomb = "a: &a [x, x]\n" + "".join(f"k{n}: &k{n} [*a, *a]\n" for n in range(50))

    with pytest.raises(ScenarioError, match="anchors"):
        read_yaml(bomb, "f.yaml")


def test_a_large_file_is_refused_by_its_size_alone(tmp_path):
    path = tmp_path / "big.yaml"
    with path.open("wb") as file:
        file.truncate(50_000_000)

    with pytest.raises(ScenarioError, match="50000000 bytes"):
        read_yaml_file(path)


@pytest.mark.parametrize("text", ["x" * (MAX_BYTES + 1), b"x" * (MAX_BYTES + 1)])
def test_a_large_text_is_refused(text):
    with pytest.raises(ScenarioError, match="too large"):
        read_yaml(text, "f.yaml")


def test_bytes_that_are_not_utf_8_are_refused_with_their_line():
    with pytest.raises(ScenarioError, match=r"f\.yaml:2: is not UTF-8"):
        read_yaml(b"a: 1\nb: \xff\n", "f.yaml")


def test_a_byte_order_mark_is_no_matter():
    assert read_yaml("a: 1".encode("utf-8-sig"), "f.yaml").value == {"a": 1}


@pytest.mark.parametrize("name", ["missing.yaml", ".", "nul\0.yaml", "x" * 5000])
def test_what_is_no_readable_file_is_refused(tmp_path, name):
    with pytest.raises(ScenarioError):
        read_yaml_file(tmp_path / name)


@given(st.one_of(st.text(), st.binary(), st.text(alphabet="ab:-[]{},&*!|>'\"#\n\t ?%")))
def test_any_text_is_a_value_or_a_scenario_error(text):
    try:
        problems = ()
        read_yaml(text, "f.yaml")
    except ScenarioError as error:
        problems = error.problems
    assert all(str(problem).isprintable() for problem in problems)


plain_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63),
        st.floats(allow_nan=False),
        st.text("ab 1e9:#-"),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text("abc", min_size=1), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(plain_values)
def test_json_is_read_as_json_reads_it(value):
    text = json.dumps(value).replace("Infinity", ".inf")

    assert read_yaml(text, "f.json").value == value
