"""The form has every field of the spec, with its limits, choices and help, read off the schema."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import dcsim
from dcsim.app.form.fields import Field, Kind, scenario_fields, workload_fields


def walk(fields: Sequence[Field]) -> Iterator[Field]:
    for one in fields:
        yield one
        yield from walk(one.fields)
        for options in one.options.values():
            yield from walk(options)


def by_key(fields: Sequence[Field]) -> dict[str, Field]:
    return {one.key: one for one in fields}


def test_the_form_has_every_field_of_the_schema() -> None:
    schema = dcsim.scenario_json_schema()
    assert {one.key for one in scenario_fields()} == set(schema["properties"]) - {"base"}
    assert {one.key for one in workload_fields()} == set(schema["$defs"]["Serving"]["properties"])


def test_every_field_says_what_it_is() -> None:
    assert not [one.key for one in walk([*scenario_fields(), *workload_fields()]) if not one.help]


def test_pick_lists_hold_the_catalogue() -> None:
    cluster = by_key(by_key(scenario_fields())["cluster"].fields)
    assert cluster["node"].choices == dcsim.entry_names("nodes")
    assert cluster["node"].catalogue == "nodes"
    served = set(by_key(workload_fields())["model"].choices)
    assert {"llama-3.1-8b", "gpt3-175b"} < served < set(dcsim.entry_names("models"))
    assert not served & {"resnet-50", "bert-large"}  # of a kind that is trained only
    assert by_key(workload_fields())["traffic"].kind is Kind.CHOICE_OR_FIELDS


def test_limits_and_units_are_those_of_the_spec() -> None:
    replicas = by_key(workload_fields())["num_replicas"]
    assert (replicas.kind, replicas.minimum, replicas.maximum) == (Kind.INTEGER, 1, 1_000_000)
    duration = by_key(scenario_fields())["duration"]
    assert duration.kind is Kind.QUANTITY
    assert "min" in duration.example


def test_policies_bring_their_options() -> None:
    traffic = by_key(by_key(workload_fields())["traffic"].fields)
    arrivals = traffic["arrivals"]
    assert arrivals.kind is Kind.POLICY
    assert {one.key for one in arrivals.options["gamma"]} == {"rate", "cv"}
    assert set(arrivals.options) == set(arrivals.choices)


def test_files_are_chosen_and_not_typed() -> None:
    trace = by_key(by_key(by_key(workload_fields())["traffic"].fields)["trace"].fields)
    assert trace["path"].kind is Kind.FILE
