import json

from dcsim.catalog.loader import entry_names
from dcsim.plugins import policy_names
from dcsim.spec.schema import scenario_json_schema


def objects(schema):
    """Every object schema with named properties, wherever it stands."""
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict):
            yield schema["properties"]
        for child in schema.values():
            yield from objects(child)
    elif isinstance(schema, list):
        for child in schema:
            yield from objects(child)


def test_the_keys_are_those_of_yaml():
    properties = scenario_json_schema()["properties"]

    assert {"base", "name", "duration", "cluster", "serving"} <= properties.keys()
    assert not any(key.endswith("_s") for keys in objects(scenario_json_schema()) for key in keys)


def test_every_field_says_what_it_means():
    silent = [
        key
        for keys in objects(scenario_json_schema())
        for key, field in keys.items()
        if key != "policy" and not field.get("description")
    ]

    assert not silent


def test_the_names_of_the_catalogue_and_of_the_policies_are_offered():
    text = json.dumps(scenario_json_schema())

    for kind in ("nodes", "models", "engines", "sites", "prices", "efficiency"):
        assert all(f'"{name}"' in text for name in entry_names(kind))
    assert all(f'"{name}"' in text for name in policy_names("dcsim.policies.schedulers"))


def test_every_reference_leads_somewhere():
    schema = scenario_json_schema()
    text = json.dumps(schema)

    targets = {part.split('"')[0] for part in text.split("#/$defs/")[1:]}

    assert targets <= schema["$defs"].keys()
