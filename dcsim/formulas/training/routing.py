"""How many scale-up domains the tokens of a mixture of experts visit."""

from __future__ import annotations

import math

from dcsim.formulas.transformer import MixtureOfExperts


def num_visited_domains(experts: MixtureOfExperts, num_domains: int, max_visited: int | None) -> float:
    """Domains that a token's experts lie in, when it chooses k of E experts at random.

    n = N (1 - C(E - E/N, k) / C(E, k)), the mean of a hypergeometric draw; limited to ``max_visited`` where
    the router is (DeepSeek-V3, arXiv:2412.19437, section 2.1.2: 4).

    >>> eight_of_256 = MixtureOfExperts(256, 8, 2048)
    >>> round(num_visited_domains(eight_of_256, 8, None), 2), num_visited_domains(eight_of_256, 8, 4)
    (5.3, 4.0)
    """
    total, chosen = experts.num_experts, experts.num_experts_per_token
    elsewhere = total - total // num_domains
    missed = math.comb(elsewhere, chosen) / math.comb(total, chosen) if elsewhere >= chosen else 0.0
    visited = num_domains * (1.0 - missed)
    return visited if max_visited is None else min(visited, float(max_visited))
