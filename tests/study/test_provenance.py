import re

import pytest

from dcsim.study.run import run
from tests.study.scenarios_for_tests import small_cluster, tiny


def provenance(**overrides: object) -> dict[str, list[dict[str, object]]]:
    return run(tiny(**overrides)).summary["provenance"]


def test_every_entry_that_the_scenario_names_is_listed_with_its_source():
    entries = {f"{one['kind']}/{one['name']}": one for one in provenance()["entries"]}
    assert {"nodes/dgx-h100", "models/llama-3.1-8b", "engines/vllm", "sites/us-iowa"} <= entries.keys()
    assert all(one["source"] and not one["is_varied"] for one in entries.values())


def test_every_estimate_says_why():
    estimates = provenance()["estimates"]
    assert estimates
    assert all(one["why"] for one in estimates)


def test_prices_of_other_nodes_and_peaks_of_other_datatypes_do_not_matter():
    listed = " ".join(str(one["path"]) for one in provenance()["estimates"])
    assert not re.search(r"node_price\.(?!dgx-h100)|\.nvfp4|\.int8", listed)


def test_a_varied_entry_is_marked():
    found = provenance(serving__chat__engine={"base": "vllm", "step_overhead": "9 ms"})
    (engine,) = (one for one in found["entries"] if one["kind"] == "engines")
    assert engine["is_varied"]


def test_a_traffic_preset_is_a_source_too():
    found = provenance(serving__chat__traffic="azure-conv-2023")
    assert ("traffic", "azure-conv-2023") in {(one["kind"], one["name"]) for one in found["entries"]}


def test_a_profile_used_beyond_its_range_is_noted():
    profile = {"base": "h100-sxm", "valid": {"max_tokens": 10, "max_context_tokens": 100_000}}
    (note,) = provenance(serving__chat__efficiency=profile)["notes"]
    assert "extrapolated" in str(note)
    assert not provenance()["notes"]


def test_training_fabric_storage_and_failures_rest_on_entries_too():
    found = run(small_cluster(reliability__preset="meta-rsc"), num_processes=1).summary["provenance"]
    names = {f"{one['kind']}/{one['name']}" for one in found["entries"]}
    assert names >= {
        "software/megatron",
        "models/llama-3.1-8b",
        "storage/weka-8",
        "storage/nvme-gen4-7.68tb",
        "reliability/meta-rsc",
    }
    assert any(name.startswith("collectives/") for name in names)
    assert any(str(one["entry"]).startswith("software/") for one in found["estimates"])
    assert all(one["why"] for one in found["estimates"])


def test_the_power_of_scheduled_jobs_is_noted_as_assumed():
    (note,) = run(small_cluster(), num_processes=1).summary["provenance"]["notes"]
    assert "jobs.accelerator_use" in note


@pytest.mark.parametrize(
    ("link", "is_noted"),
    [("infiniband-xdr", True), ("infiniband-ndr-sharp", True), ("infiniband-ndr", False), (None, False)],
)
def test_a_link_of_the_fabric_that_makes_no_step_faster_is_noted(link, is_noted):
    scenario = small_cluster(duration="10 min", cluster__fabric__link=link)
    notes = run(scenario, num_processes=1).summary["provenance"]["notes"]
    assert any("cluster.fabric.link" in note for note in notes) == is_noted
