"""Fat tree: three tiers, pods of leaves and spines joined by cores."""

from __future__ import annotations

from pydantic import Field

from dcsim.networks.clos import Clos, join_tiers, leaves_of
from dcsim.networks.graph import Hosts, add_cable, network_of, new_graph
from dcsim.networks.network import Network
from dcsim.networks.topology import refuse


class FatTree(Clos):
    """Pods of leaves and spines; spine s of every pod is joined to the cores of group s.

    Al-Fares, Loukissas and Vahdat, "A Scalable, Commodity Data Center Network Architecture", SIGCOMM 2008:
    with switches of k ports, k^3/4 hosts. Oversubscription is at the leaves; pods reach the cores with all
    that their leaves send up. All ports of a host are drawn as one cable, as in leaf_spine.
    """

    leaves_per_pod: int | None = Field(
        default=None, gt=0, description="Leaves of a pod; radix / 2 if left out."
    )
    spines_per_pod: int | None = Field(
        default=None, gt=0, description="Spines of a pod; the uplinks of a leaf if left out."
    )
    cores_per_spine: int | None = Field(
        default=None, gt=0, description="Cores that each spine is joined to; radix / 2 if left out."
    )

    def network(self, hosts: Hosts) -> Network:
        """Pods of leaves and spines, and cores if there are several pods."""
        ports = self.leaf_ports(hosts)
        groups = leaves_of(hosts.num_hosts, ports.num_down)
        num_leaves = self.leaves_per_pod or max(self.radix // 2, 1)
        num_spines, num_cores = self.spines_per_pod or ports.num_up, self.cores_per_spine or self.radix // 2
        num_pods = -(-len(groups) // num_leaves)
        self._refuse_narrow_switches(num_leaves, num_cores, num_pods)
        graph = new_graph(hosts.num_hosts)
        for number, group in enumerate(groups):
            for host in group:
                add_cable(graph, host, f"leaf {number}", hosts.bytes_per_s, hosts.latency_s / 2)
        upward_bytes_per_s = ports.num_down * hosts.bytes_per_s / self.oversubscription  # of one leaf
        tops: list[str] = []
        for pod in range(num_pods):
            leaves = [f"leaf {n}" for n in range(pod * num_leaves, min((pod + 1) * num_leaves, len(groups)))]
            spines = [f"spine {pod}.{number}" for number in range(num_spines)]
            join_tiers(graph, leaves, spines, upward_bytes_per_s / num_spines)
            tops += spines
            core_bytes_per_s = num_leaves * upward_bytes_per_s / num_spines / num_cores
            for number, spine in enumerate(spines if num_pods > 1 else ()):
                cores = [f"core {number}.{core}" for core in range(num_cores)]
                join_tiers(graph, [spine], cores, core_bytes_per_s)
        if num_pods > 1:
            tops = [f"core {spine}.{core}" for spine in range(num_spines) for core in range(num_cores)]
        return network_of(graph, hosts.num_hosts, tuple(tops), hosts_forward=False)

    def _refuse_narrow_switches(self, num_leaves: int, num_cores: int, num_pods: int) -> None:
        cores = num_cores if num_pods > 1 else 0
        for message, needed in (
            ("leaves of a pod and cores on a spine", num_leaves + cores),
            ("pods on a core", num_pods),
        ):
            if needed > self.radix:
                raise refuse(
                    f"{needed} {message}, more than the switch's ports", self.radix, "Raise radix", "radix"
                )
