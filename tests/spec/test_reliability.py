"""The reliability section and its presets: rates from counts, units, what is refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

import dcsim
from dcsim.catalog.loader import entry_names, load_entry
from dcsim.catalog.reliability import Cause, Domain, ReliabilityPreset
from dcsim.errors import ScenarioError
from dcsim.spec.reliability import ClusterShape, Reliability
from dcsim.spec.training.deployment import resolve_training
from dcsim.spec.training.prospects import training_prospects

DAY_S = 86_400.0


def preset(name: str) -> ReliabilityPreset:
    entry = load_entry("reliability", name)
    assert isinstance(entry, ReliabilityPreset)
    return entry


def scenario(**sections: object) -> dcsim.Scenario:
    document: dict[str, object] = {
        "name": "fine-tune",
        "cluster": {"node": "dgx-h100", "num_nodes": 4},
        "training": {
            "tune": {
                "model": "llama-3.1-8b",
                "software": "megatron",
                "num_nodes": 2,
                "parallelism": {"tensor": 8},
                "batch": {"sequences": 64, "tokens": 4096},
                "steps": 2000,
                "checkpoint": {"interval": "5 min"},
            }
        },
    }
    return dcsim.load({**document, **sections})


def test_the_counts_of_llama_3_add_up_to_its_unexpected_interruptions() -> None:
    """Table 5 of arXiv:2407.21783, whose printed shares do not add up: 148 of 419 is not 30.1 %."""
    causes = preset("llama3-h100").causes.values()
    counts = [cause.observed.num_failures for cause in causes if cause.observed is not None]
    assert (len(counts), sum(counts)) == (18, 419)


def test_every_preset_says_how_long_each_part_of_a_recovery_takes() -> None:
    assert {"llama3-h100", "meta-rsc", "bytedance", "none"} <= set(entry_names("reliability"))
    for name in entry_names("reliability"):
        times = Reliability.model_validate({"preset": name}).recovery
        assert times.detection_s + times.diagnosis_s <= 600.0, "MegaScale's bound"
        assert times.initialization_s > 0


def test_meta_rsc_predicts_the_projection_of_its_paper() -> None:
    section = Reliability.model_validate({"preset": "meta-rsc"})
    shape = ClusterShape(16_384, 8, 8, section.domains.by_domain)
    assert section.job_mttf_s(shape, 2048) == pytest.approx(1.8 * 3600, rel=0.01)
    assert section.job_mttf_s(shape, 1) == pytest.approx(47.7 * DAY_S, rel=0.01)


def test_node_mtbf_and_mttr_are_short_for_one_cause_and_its_repair() -> None:
    section = Reliability.model_validate({"node_mtbf": "9000 h", "node_mttr": "4 h"})
    shape = ClusterShape(8, 8, 8, section.domains.by_domain)
    assert section.job_mttf_s(shape, 8) == pytest.approx(9000 * 3600 / 8)
    assert section.repair_s == 4 * 3600


def test_a_preset_may_be_varied_cause_by_cause() -> None:
    varied = {"base": "llama3-h100", "causes": {"hbm": {"observed": {"failures": 36}}}}
    section = Reliability.model_validate({"preset": varied})
    assert section.causes["hbm"].rate_per_s == preset("llama3-h100").causes["hbm"].rate_per_s / 2
    assert len(section.causes) == 18


@pytest.mark.parametrize(
    ("component", "per", "takes_down"),
    [
        ("accelerator", Domain.ACCELERATOR, Domain.NODE),
        ("link", Domain.NIC, Domain.NODE),
        ("psu", Domain.NODE, Domain.NODE),
        ("switch", Domain.SWITCH, Domain.SWITCH),
        ("cooling_loop", Domain.RACK, Domain.RACK),
        ("site", Domain.SITE, Domain.SITE),
        ("software", Domain.JOB, Domain.JOB),
    ],
)
def test_a_component_implies_its_unit_and_its_domain(component: str, per: Domain, takes_down: Domain) -> None:
    cause = Cause.model_validate({"component": component, "mtbf": "1 d"})
    assert (cause.counted_by, cause.takes_down) == (per, takes_down)


def test_units_are_counted_and_domains_are_cut_at_the_end_of_the_cluster() -> None:
    shape = ClusterShape(10, 8, 4, Reliability().domains.by_domain)
    assert [shape.num_units(one, 10) for one in Domain] == [1, 80, 40, 10, 1, 3, 3, 1]
    assert list(shape.nodes_of(Domain.RACK, 9)) == [8, 9]
    assert list(shape.nodes_of(Domain.SITE, 3)) == list(range(10))
    assert list(shape.nodes_of(Domain.JOB, 3)) == []


@pytest.mark.parametrize(
    "cause",
    [
        {"component": "node"},
        {"component": "node", "mtbf": "1 d", "observed": {"failures": 1, "units": 1, "duration": "1 d"}},
        {"component": "node", "mtbf": "0 s"},
        {"component": "node", "mtbf": "-1 d"},
        {"component": "node", "observed": {"failures": 0, "units": 1, "duration": "1 d"}},
        {"component": "software", "mtbf": "1 d", "slowdown": 0.1},
        {"component": "flux capacitor", "mtbf": "1 d"},
        {"component": "node", "mtbf": "1 d", "times": {"policy": "weibull", "shape": 0}},
    ],
)
def test_causes_that_make_no_sense_are_refused(cause: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Cause.model_validate(cause)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"spares": 4}, "reliability.spares: must leave at least one node"),
        ({"node_mtbf": "0 h"}, "reliability.node_mtbf: must be greater than 0"),
        (
            {"maintenance": [{"every": "9 h", "duration": "2 h", "nodes": 2}]},
            "a share of the nodes, at most 100 %",
        ),
        ({"maintenance": [{"every": "1 h", "duration": "2 h"}]}, "duration must be shorter than every"),
        ({"preset": "lama3-h100"}, "Did you mean 'llama3-h100'"),
        ({"predictive_maintenance": {"precision": 0, "recall": 0.5, "lead": "1 h"}}, "precision"),
        ({"repair_crews": 0}, "repair_crews"),
    ],
)
def test_sections_that_make_no_sense_are_refused(section: dict[str, object], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        scenario(reliability=section)


def test_a_list_of_nodes_and_failures_of_the_cluster_exclude_each_other() -> None:
    jobs = {"arrivals": {"policy": "poisson", "rate": "1 /h", "duration_mean": "1 h"}, "node_list": "n.csv"}
    with pytest.raises(ScenarioError, match=r"jobs\.node_list: .* take no part in the failures"):
        scenario(jobs=jobs, reliability={"node_mtbf": "1 d"}, duration="1 d")


def test_prospects_are_dalys_and_tell_a_hopeless_job() -> None:
    fine = scenario(reliability={"node_mtbf": "1000 h"})
    prospects = training_prospects(fine, resolve_training(fine, "tune"))
    assert prospects.mttf_s == pytest.approx(500 * 3600)
    assert 0.95 < prospects.productive_frac < 1.0
    assert prospects.completion_s == pytest.approx(prospects.work_s / prospects.productive_frac)
    assert prospects.hopeless_reason(1e6) == ""
    hopeless = scenario(reliability={"node_mtbf": "20 s"})
    reason = training_prospects(hopeless, resolve_training(hopeless, "tune")).hopeless_reason(1e7)
    assert "fail every 10 s" in reason
    assert "Save more often" in reason
