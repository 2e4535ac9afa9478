"""The fabric section: defaults from the node, and mistakes refused in plain words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from dcsim.catalog.link import Link
from dcsim.catalog.loader import load_entry
from dcsim.catalog.node import Node
from dcsim.errors import ScenarioError
from dcsim.networks.network import Network
from dcsim.spec.cluster import Cluster
from dcsim.spec.fabric import FabricSpec, resolve_network
from dcsim.spec.loader import load
from dcsim.strict_yaml import read_yaml


def resolved(
    section: dict[str, object], num_nodes: int = 32, node: str = "dgx-h100", **options: object
) -> Network:
    entry = load_entry("nodes", node)
    assert isinstance(entry, Node)
    return resolve_network(FabricSpec.model_validate(section), entry, num_nodes, **options)  # type: ignore[arg-type]


def link(name: str) -> Link:
    entry = load_entry("links", name)
    assert isinstance(entry, Link)
    return entry


def test_ports_are_those_of_the_node_at_what_its_link_achieves() -> None:
    ndr = link("infiniband-ndr")
    assert resolved({}).host_bytes_per_s(0) == pytest.approx(8 * ndr.bytes_per_s * ndr.achievable_frac)


def test_link_and_rails_replace_those_of_the_node() -> None:
    ethernet = link("ethernet-100g")
    net = resolved({"link": "ethernet-100g", "rails": 2, "topology": "rail_optimized"})
    assert net.host_bytes_per_s(0) == pytest.approx(2 * ethernet.bytes_per_s * ethernet.achievable_frac)
    assert len(net.cables_of("node 0")) == 2


def test_the_sections_oversubscription_is_that_of_the_topology() -> None:
    short = resolved({"oversubscription": 2}, 64)
    long = resolved({"topology": {"policy": "leaf_spine", "oversubscription": 2}}, 64)
    assert short.bytes_per_s.tolist() == long.bytes_per_s.tolist()


def test_oversubscription_of_a_torus_is_refused() -> None:
    section = {"topology": {"policy": "torus", "axes": [32]}, "oversubscription": 2}
    with pytest.raises(ScenarioError, match=r"cluster\.fabric\.oversubscription: does not apply"):
        resolved(section)


@pytest.mark.parametrize(
    ("outage", "message"),
    [
        ({"switch": "spine 99"}, "no such part of the fabric"),
        ({"cable": ["node 0", "spine 0"]}, "no cable joins these"),
    ],
)
def test_an_outage_must_name_what_is_there(outage: dict[str, object], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        resolved({"outages": [{**outage, "at": "1 h", "duration": "1 h"}]}, 64)


def test_every_store_has_a_gateway() -> None:
    net = resolved({}, gateway_bytes_per_s={"lustre": 1e11})
    assert net.names[net.vertex("lustre")] == "lustre"


def test_a_store_without_bandwidth_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"cluster\.storage\.lustre: has no bandwidth"):
        resolved({}, gateway_bytes_per_s={"lustre": 0.0})


def test_an_nvl72_rack_of_trays_is_a_scale_up_domain() -> None:
    net = resolved({"topology": "scale_up_domain"}, 36, "gb200-compute-tray")
    assert len(net.cables_of("domain 1")) == 18


def test_an_edge_list_is_looked_for_in_the_folder_of_the_scenario(tmp_path: Path) -> None:
    (tmp_path / "wires.csv").write_text(
        "from,to,bandwidth\nnode0,a,1 GB/s\nnode1,a,1 GB/s\n", encoding="utf-8"
    )
    section = {"topology": {"policy": "edge_list", "path": "wires.csv"}}
    assert resolved(section, 2, folder=tmp_path).num_cables == 2


def test_the_examples_of_the_page_are_networks() -> None:
    page = (Path(__file__).parents[2] / "docs" / "fabric.md").read_text(encoding="utf-8")
    examples = [read_yaml(text, "page").value for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    clusters = [Cluster.model_validate(example) for example in examples]
    assert len(clusters) == 3
    for cluster in clusters:
        assert cluster.fabric is not None
        assert resolve_network(cluster.fabric, cluster.node, cluster.num_nodes).num_hosts == cluster.num_nodes


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"topology": "leafspine"}, "unknown policy 'leafspine'"),
        ({"topology": "torus"}, "Field required"),
        ({"oversubscription": 0}, "greater than 0"),
        ({"routing": {"policy": "ecmp", "num_queue_pairs": 0}}, "greater than 0"),
        (
            {"topology": {"policy": "edge_list", "cables": [{"from": "a", "to": "b", "bandwidth": "0 B/s"}]}},
            "greater",
        ),
        ({"batching": 1}, "less than 1"),
        ({"outages": [{"at": "1 h", "duration": "1 h"}]}, "a switch or a cable"),
        ({"incast": {"loss": "100 %"}}, "less than 1"),
    ],
)
def test_mistakes_are_refused(section: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        FabricSpec.model_validate(section)


def test_an_outage_of_what_is_not_there_is_told_at_its_own_line(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "name: s\n"
        "cluster:\n"
        "  node: dgx-h100\n"
        "  num_nodes: 4\n"
        "  fabric:\n"
        "    outages:\n"
        "      - {switch: leaf 0, at: 1 s, duration: 1 s}\n"
        "      - cable: [leaf 0, spine 9]\n"
        "        at: 1 s\n"
        "        duration: 1 s\n"
        "training: {job: {model: llama-3.1-8b, batch: {sequences: 32}, steps: 1}}\n",
        encoding="utf-8",
    )
    with pytest.raises(ScenarioError) as caught:
        load(path)
    (problem,) = caught.value.problems
    assert (problem.path, problem.line) == ("cluster.fabric.outages.1.cable", 8)


@pytest.mark.parametrize("ratio", [1e-300, 5e-324])
def test_uplinks_beyond_all_numbers_are_refused_in_one_short_line(ratio: float) -> None:
    section = {"oversubscription": ratio}
    with pytest.raises(ScenarioError, match="uplinks on a leaf") as caught:
        resolved(section)
    assert len(str(caught.value)) < 200
