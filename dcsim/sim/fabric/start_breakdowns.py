"""From the outages of the fabric section to breakdowns on the clock."""

from __future__ import annotations

import simpy

from dcsim.networks.network import LAST_RESORT_COST, Network
from dcsim.sim.fabric.breakdowns import Breakdowns
from dcsim.sim.fabric.fabric import Fabric
from dcsim.sim.fabric.fabric_log import Outage
from dcsim.sim.streams import Streams
from dcsim.spec.fabric import FabricSpec, outage_cables


def start_breakdowns(
    environment: simpy.Environment, fabric: Fabric, spec: FabricSpec, streams: Streams
) -> None:
    """Put the outages of the section on the clock. Raises ScenarioError if they name what is not there."""
    breakdowns = Breakdowns(environment, fabric)
    breakdowns.plan(
        [
            Outage(
                one.switch or " - ".join(one.cable or ()),
                outage_cables(fabric.network, one, number),
                one.at_s,
                one.duration_s,
            )
            for number, one in enumerate(spec.outages)
        ]
    )
    if spec.failures is None:
        return
    repair_s = spec.failures.repair_s
    if spec.failures.switch_mtbf_s is not None:
        units = _switches(fabric.network, repair_s)
        breakdowns.draw(units, spec.failures.switch_mtbf_s, streams["fabric.switches"])
    if spec.failures.cable_mtbf_s is not None:
        units = _cables(fabric.network, repair_s)
        breakdowns.draw(units, spec.failures.cable_mtbf_s, streams["fabric.cables"])


def _switches(network: Network, repair_s: float) -> list[Outage]:
    return [Outage(name, network.cables_of(name), 0.0, repair_s) for name in network.switches]


def _cables(network: Network, repair_s: float) -> list[Outage]:
    """Every cable but those of gateways, which belong to the store."""
    cables = [c for c in range(network.num_cables) if network.costs[2 * c] < LAST_RESORT_COST]
    return [Outage(network.link_name(2 * c).replace("->", "-"), (c,), 0.0, repair_s) for c in cables]
