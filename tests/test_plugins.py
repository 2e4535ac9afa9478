from importlib.metadata import EntryPoint
from typing import Annotated

import pytest
from pydantic import BaseModel, ValidationError

from dcsim import plugins
from dcsim.plugins import Policy, PolicyFrom, policy_class, policy_names
from dcsim.policies.router import Router

ROUTERS = "dcsim.policies.routers"


class Holder(BaseModel):
    router: Annotated[Router, PolicyFrom(ROUTERS)]


class Foreign(Policy):
    strength: int = 1


@pytest.fixture
def _foreign_policy(monkeypatch):
    point = EntryPoint("foreign", "tests.test_plugins:Foreign", ROUTERS)
    monkeypatch.setattr(plugins, "entry_points", lambda group: (point,) if group == ROUTERS else ())
    for cached in (plugins.installed, policy_names, policy_class):
        cached.cache_clear()
    yield
    for cached in (plugins.installed, policy_names, policy_class):
        cached.cache_clear()


def test_the_files_of_the_folder_are_the_policies():
    assert {"round_robin", "random", "least_outstanding", "power_of_two"} <= set(policy_names(ROUTERS))


def test_every_policy_file_holds_the_class_of_its_name():
    for name in policy_names(ROUTERS):
        assert policy_class(ROUTERS, name).__name__.lower() == name.replace("_", "")


def test_a_name_alone_is_short_for_a_mapping():
    assert Holder(router="random") == Holder(router={"policy": "random"})


def test_a_policy_object_is_taken_as_it_is():
    router = policy_class(ROUTERS, "random")()

    assert Holder(router=router).router is router


@pytest.mark.parametrize("value", ["os", "..random", "random.Random", "", "__init__", "\n"])
def test_a_scenario_cannot_name_code_to_import(value):
    with pytest.raises(ValidationError, match="unknown policy"):
        Holder(router=value)


@pytest.mark.parametrize("value", [None, 5, [], {}, {"policy": 5}, {"policy": ["random"]}])
def test_what_is_no_policy_is_refused(value):
    with pytest.raises(ValidationError, match="must be a policy"):
        Holder(router=value)


def test_an_unknown_option_is_refused():
    with pytest.raises(ValidationError, match="Extra inputs"):
        Holder(router={"policy": "random", "speed": 1})


@pytest.mark.usefixtures("_foreign_policy")
def test_an_installed_package_adds_a_policy():
    assert policy_class(ROUTERS, "foreign") is Foreign
    assert Holder(router={"policy": "foreign", "strength": 2}).router == Foreign(strength=2)


def test_the_schema_offers_every_policy_with_its_options():
    assert set(policy_names(ROUTERS)) <= set(str(Holder.model_json_schema()).replace("'", " ").split())
