"""What every topology is: options from which the cables of a cluster follow."""

from __future__ import annotations

from abc import abstractmethod

from dcsim.errors import Problem, ScenarioError
from dcsim.networks.graph import Hosts
from dcsim.networks.network import Network
from dcsim.plugins import Policy

TOPOLOGIES = "dcsim.topologies"  # the folder of all topologies
PATH = "cluster.fabric.topology"  # where a scenario names one


class Topology(Policy):
    """Base of all topologies."""

    @abstractmethod
    def network(self, hosts: Hosts) -> Network:
        """The network of these hosts. Raises ScenarioError if they do not fit, or cannot reach each other."""


def refuse(message: str, value: object, remedy: str, option: str = "") -> ScenarioError:
    """The error that says why a topology cannot be built for the hosts."""
    return ScenarioError(Problem(message, f"{PATH}.{option}" if option else PATH, value, remedy))
