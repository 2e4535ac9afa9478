"""What every routing is: which of the cables of equal cost a flow takes at each switch."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dcsim.plugins import Policy

ROUTINGS = "dcsim.policies.routings"  # the folder of all routings

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Crossroads:
    """Where parts of flows stand, as equally long columns.

    ``num_choices`` cables of equal cost lead on from ``vertices`` towards ``destinations``; ``strides`` is
    the product of the choices that lie behind.
    """

    sources: Indices
    destinations: Indices
    paths: Indices
    vertices: Indices
    num_choices: Indices
    strides: Indices


class Routing(Policy):
    """Base of all routings. Deterministic: the same flow takes the same way in every run."""

    @property
    def num_paths(self) -> int:
        """Into how many equal parts, each on a way of its own, a flow is divided at its source."""
        return 1

    @property
    def is_spread(self) -> bool:
        """Whether parts of one flow that meet at a switch go on as one."""
        return False

    @abstractmethod
    def branches(self, at: Crossroads) -> tuple[Indices, Indices]:
        """Rows of ``at`` and, for each, the choice taken there, from 0.

        A row given several times is divided equally among its choices.
        """
