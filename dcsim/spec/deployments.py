"""Everything that a scenario deploys, with every default resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dcsim.spec.deployment import ServingDeployment, resolve_deployment
from dcsim.spec.scenario import Scenario
from dcsim.spec.training.checkpoint import resolve_checkpoint
from dcsim.spec.training.deployment import TrainingDeployment, resolve_training


@dataclass(frozen=True, slots=True)
class Deployments:
    """Serving workloads and training jobs, by name."""

    serving: Mapping[str, ServingDeployment]
    training: Mapping[str, TrainingDeployment]


def resolve_all(scenario: Scenario) -> Deployments:
    """What a scenario deploys. Raises InfeasibleError where something cannot be."""
    serving = {name: resolve_deployment(scenario, name) for name in scenario.serving}
    training = {name: resolve_training(scenario, name) for name in scenario.training}
    for one in training.values():
        resolve_checkpoint(scenario, one)
    return Deployments(serving, training)
