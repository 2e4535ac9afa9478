"""From the fabric section to a fabric on the clock, with a gateway for every store that nodes share."""

from __future__ import annotations

from collections.abc import Mapping

import simpy

from dcsim.sim.fabric.fabric import Fabric
from dcsim.sim.fabric.start_breakdowns import start_breakdowns
from dcsim.sim.streams import Streams
from dcsim.spec.fabric import resolve_network
from dcsim.spec.scenario import Scenario
from dcsim.spec.storage import StoreDeployment, gateway_bytes_per_s

_MOST_LOAD_BINS, _FEWEST_LOAD_BINS = 240, 12  # of the loads of links over the run
_NUM_LOADS = 500_000  # rows that the table of loads may have, about


def build_fabric(
    scenario: Scenario,
    environment: simpy.Environment,
    streams: Streams,
    stores: Mapping[str, StoreDeployment],
    rough_length_s: float,
) -> Fabric | None:
    """The fabric of a scenario; None if it has none. ``rough_length_s`` is about how long the run will be."""
    cluster = scenario.cluster
    if cluster.fabric is None:
        return None
    gateways = {name: gateway_bytes_per_s(one, cluster.num_nodes) for name, one in stores.items()}
    network = resolve_network(
        cluster.fabric,
        cluster.node,
        cluster.num_nodes,
        folder=scenario.folder,
        gateway_bytes_per_s={name: rate for name, rate in gateways.items() if rate is not None},
    )
    num_bins = min(max(_NUM_LOADS // max(network.num_links, 1), _FEWEST_LOAD_BINS), _MOST_LOAD_BINS)
    fabric = Fabric(
        environment,
        network,
        routing=cluster.fabric.routing,
        batching_frac=cluster.fabric.batching_frac,
        incast=cluster.fabric.incast.penalty if cluster.fabric.incast else None,
        bin_s=rough_length_s / num_bins,
    )
    start_breakdowns(environment, fabric, cluster.fabric, streams)
    return fabric
