"""Stragglers: a synchronous step waits for the slowest of many ranks."""

from __future__ import annotations

import math

SLOW_NODE_FRAC = 0.1
"""By how much slow nodes are slower: "approximately 10 %" (MegaScale, arXiv:2402.15627, section 5.1)."""


def slow_node_frac(slow_nodes_frac: float, num_nodes: float) -> float:
    """By how much one of ``num_nodes`` that is slow delays a step, as a share of it, in the mean.

    One is enough: 0.1 (1 - (1 - f)^N), where a share f of the nodes is slow.

    >>> round(slow_node_frac(0.005, 128), 4)
    0.0474
    """
    none_frac: float = (1.0 - slow_nodes_frac) ** num_nodes
    return SLOW_NODE_FRAC * (1.0 - none_frac)


def expected_maximum_frac(jitter_frac: float, num_ranks: int) -> float:
    """By how much the slowest of ``num_ranks`` exceeds the mean, as a share of it: sigma sqrt(2 ln N).

    The leading term of the expected maximum of N independent normal deviates (H. Cramer, "Mathematical
    Methods of Statistics", 1946, section 28.6): an upper bound for every N, 15 % high at 1000.

    >>> round(expected_maximum_frac(0.01, 1000), 4)
    0.0372
    """
    return jitter_frac * math.sqrt(2.0 * math.log(num_ranks)) if num_ranks > 1 else 0.0
