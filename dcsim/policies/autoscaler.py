"""What every autoscaler is: the number of replicas to have on, from what the last while was like."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from pydantic import Field

from dcsim.plugins import Policy
from dcsim.units import PositiveSeconds


@dataclass(frozen=True, slots=True)
class FleetLoad:
    """A fleet over the last interval, and its replicas now."""

    num_replicas: int  # in all
    num_on: int  # of them on, or about to be
    mean_outstanding: float  # requests waiting or running, all replicas together
    max_num_seqs: int  # requests that a replica runs at a time at most


class Autoscaler(Policy):
    """Base of all autoscalers: asked again and again, after every interval."""

    every_s: PositiveSeconds = Field(
        default=300.0, ge=1.0, alias="every", description="Time from one decision to the next, 1 s at least."
    )

    @property
    @abstractmethod
    def num_least(self) -> int:
        """Replicas that it leaves on whatever happens, at least 1."""

    @abstractmethod
    def num_wanted(self, load: FleetLoad) -> int:
        """How many replicas are to be on, from ``num_least`` to all."""
