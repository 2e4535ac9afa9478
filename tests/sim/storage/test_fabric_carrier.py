"""Stores over a fabric: the slower of the two sets the pace, and transfers contend on links."""

import pytest
import simpy

from dcsim.catalog.store import StoreScope
from dcsim.networks.graph import Hosts
from dcsim.sim.fabric.fabric import Fabric
from dcsim.sim.storage.fabric_carrier import FabricCarrier
from dcsim.sim.storage.storage_log import StorageLog
from dcsim.sim.storage.store import Store
from dcsim.spec.storage import StoreDeployment
from dcsim.topologies.leaf_spine import LeafSpine
from tests.sim.storage.stores import limits


def store_behind_fabric(
    store_bytes_per_s: float, gateway_bytes_per_s: float
) -> tuple[simpy.Environment, Store]:
    """A store of four nodes of 10 B/s each."""
    environment = simpy.Environment()
    network = (
        LeafSpine().network(Hosts(4, 1, 10.0, 0.0, 100.0, 0.0)).with_gateway("disk", gateway_bytes_per_s)
    )
    deployment = StoreDeployment("disk", StoreScope.CLUSTER, limits(store_bytes_per_s))
    carrier = FabricCarrier(Fabric(environment, network))
    return environment, Store(environment, deployment, StorageLog(), num_nodes=4, carrier=carrier)


@pytest.mark.parametrize(
    ("store_bytes_per_s", "gateway_bytes_per_s", "expected_s"),
    [(5.0, 100.0, 80.0), (1000.0, 1000.0, 10.0), (1000.0, 20.0, 20.0)],
    ids=["store", "ports of the nodes", "gateway"],
)
def test_the_narrowest_place_sets_the_pace(
    store_bytes_per_s: float, gateway_bytes_per_s: float, expected_s: float
) -> None:
    environment, store = store_behind_fabric(store_bytes_per_s, gateway_bytes_per_s)
    environment.run(until=store.write(range(4), 400.0))
    assert environment.now == pytest.approx(expected_s)


def test_a_restore_contends_with_another_for_the_ports_of_one_node() -> None:
    environment, store = store_behind_fabric(1000.0, 1000.0)
    both = store.read([0], 100.0) & store.read([0], 100.0)
    environment.run(until=both)
    assert environment.now == pytest.approx(20.0)


def test_a_store_without_a_common_limit_needs_no_limit_of_its_gateway() -> None:
    environment, store = store_behind_fabric(float("inf"), float("inf"))
    environment.run(until=store.read(range(4), 400.0))
    assert environment.now == pytest.approx(10.0)
