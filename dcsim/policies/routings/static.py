"""Static: one way to each destination, D-mod-k."""

from __future__ import annotations

import numpy as np

from dcsim.policies.routing import Crossroads, Indices, Routing


class Static(Routing):
    """D-mod-k: all flows to a destination take the same way up, destinations take turns.

    At the first crossroads with k choices, the choice is d mod k; at the next one d / k mod k', and so on.
    Zahavi, "D-Mod-K Routing Providing Non-Blocking Traffic for Shift Permutations on Real Life Fat Trees",
    Technion CCIT report 776, 2010.
    """

    def branches(self, at: Crossroads) -> tuple[Indices, Indices]:
        """The destination's turn."""
        return np.arange(len(at.sources)), at.destinations // at.strides % at.num_choices
