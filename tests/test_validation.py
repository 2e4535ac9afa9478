from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from dcsim.errors import ScenarioError
from dcsim.strict_yaml import dotted
from dcsim.units import PositiveSeconds
from dcsim.validation import nearest, validated


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    tricks: list[str]


class House(BaseModel):
    model_config = ConfigDict(extra="forbid")

    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    sizes: dict[Literal["s", "m"], int] = {}
    is_open: bool = True
    rooms: list[int] = Field(default=[1], min_length=1, description="Rooms per floor.")
    doors: tuple[int, ...] = Field(default=(1,), min_length=1)
    area: PositiveSeconds | Literal["auto"] = "auto"


def problems(document):
    with pytest.raises(ScenarioError) as caught:
        validated(House, document, lambda path: ("f.yaml", len(path)))
    return [str(problem).removeprefix("f.yaml:") for problem in caught.value.problems]


CAT = {"kind": "cat", "lives": 9}


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"pet": {"kind": "cat", "lives": "many"}}, "2: pet.lives: must be a whole number (got 'many')"),
        ({"pet": {"kind": "cow"}}, "2: pet.kind: must be one of 'cat', 'dog'"),
        ({"pet": {}}, "2: pet.kind: a required key is missing"),
        ({"pet": CAT, "sizes": {"x": 1}}, "2: sizes.x: must be 's' or 'm' (got 'x')"),
        ({"pet": CAT, "is_open": "maybe"}, "1: is_open: must be true or false (got 'maybe')"),
        ({"pet": CAT, "rooms": 5}, "1: rooms: must be a list (got 5)"),
        ({"pet": CAT, "rooms": []}, "1: rooms: must have at least 1 entries (got [])"),
        ({"pet": CAT, "rooms": [1, "x"]}, "2: rooms.1: must be a whole number (got 'x')"),
        ({"pet": CAT, "rooms": [True]}, "2: rooms.0: must be a number (got True)"),
        ({"pet": CAT, "rooms": [2**63]}, "2: rooms.0: must be at most 2^63 (got 9223372036854775808)"),
        ({"pet": CAT, "room": [1]}, "1: room: unknown key. Did you mean 'rooms'?"),
    ],
)
def test_an_error_is_told_in_plain_words_at_the_documents_path(document, text):
    assert problems(document)[0].startswith(text)


def test_a_sound_document_is_an_instance():
    assert validated(House, {"pet": CAT}, lambda path: ("", None)).pet.lives == 9


def test_a_list_whose_entries_are_wrong_is_not_called_too_short() -> None:
    assert problems({"pet": CAT, "doors": ["x"]}) == ["2: doors.0: must be a whole number (got 'x')"]
    assert problems({"pet": CAT, "doors": []}) == ["1: doors: must have at least 1 entries (got [])"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5, "a unit is missing (got 5). Write for example 500 ms, 10 min, 2 h, or 'auto'"),
        ("-1 s", "must be greater than 0 s (got '-1 s'). Or write 'auto'"),
        (None, "must be a quantity, a number with a unit, not null. Or write 'auto'"),
    ],
)
def test_one_of_two_forms_is_one_message(value, text):
    assert problems({"pet": CAT, "area": value}) == [f"1: area: {text}"]


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("num_node", "Did you mean 'num_nodes'?"),
        ("NUM-NODES", "Did you mean 'num_nodes'?"),
        ("ttft_s", "Did you mean 'ttft'?"),
        ("zzzz", "Known: num_nodes, ttft"),
        ("", "Known: num_nodes, ttft"),
        ("x" * 10**6, "Known: num_nodes, ttft"),
    ],
)
def test_the_nearest_known_name_is_offered(name, remedy):
    assert nearest(name, ("num_nodes", "ttft")) == remedy


def test_a_path_is_dotted():
    assert dotted(("a", 0, "b")) == "a.0.b"
