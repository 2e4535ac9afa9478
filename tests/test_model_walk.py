from typing import Annotated

from pydantic import BaseModel, Field

from dcsim.model_walk import child_of, has_child, spot_at
from dcsim.plugins import PolicyFrom
from dcsim.policies.router import Router
from dcsim.spec.scenario import Scenario


class Leaf(BaseModel):
    size_s: int = Field(alias="size", description="How large.")


class Tree(BaseModel):
    leaves: dict[str, list[Leaf]] = {}
    maybe: Leaf | None = None
    router: Annotated[Router, PolicyFrom("dcsim.policies.routers")] | None = None


def test_a_path_leads_through_mappings_lists_and_options_by_their_yaml_keys():
    document = {"leaves": {"a": [{"size": 1}]}, "maybe": {"size": 2}}

    assert spot_at(Tree, document, ("leaves", "a", 0, "size")).field.description == "How large."
    assert spot_at(Tree, document, ("maybe",)).known_keys == ("size",)


def test_the_keys_of_a_policy_depend_on_its_name():
    document = {"router": {"policy": "random"}}

    assert spot_at(Tree, document, ("router",)).known_keys[0] == "policy"
    assert spot_at(Tree, {"router": {"policy": "x"}}, ("router",)).known_keys == ()


def test_a_path_that_the_models_do_not_know_leads_to_an_empty_spot():
    spot = spot_at(Tree, {"x": {"y": 1}}, ("x", "y"))

    assert (spot.model, spot.known_keys, spot.is_number) == (None, (), False)


def test_only_things_under_names_of_the_users_choice_are_named():
    assert spot_at(Scenario, {}, ("serving",)).is_named_mapping
    assert not spot_at(Scenario, {}, ("cluster",)).is_named_mapping


def test_children_are_those_of_mappings_and_lists():
    assert (child_of({"a": 1}, "a"), child_of([1, 2], 1), child_of("ab", 0)) == (1, 2, None)
    assert not has_child([1], -1)
