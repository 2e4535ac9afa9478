"""Communication beside computation: what stays exposed, and what both lose."""

from __future__ import annotations

from typing import NamedTuple


class Overlapped(NamedTuple):
    """Communication that a window of computation hides in part."""

    exposed_s: float
    slowdown_s: float  # by which the computation beside it takes longer


def overlapped(
    communication_s: float,
    window_s: float,
    hidden_frac: float,
    *,
    compute_slowdown_frac: float = 0.0,
    network_slowdown_frac: float = 0.0,
) -> Overlapped:
    """What a communication adds to a window of computation of which a share may run beside it.

    hidden = min(t_comm, share x window / (1 + k_n)); exposed = t_comm - hidden; the computation takes
    k_c x hidden (1 + k_n) longer, since kernels of collectives take multiprocessors and bandwidth from it.
    Overlap is never free where k_c > 0. Range: non-negative times, shares from 0 to 1.

    >>> overlapped(3.0, 2.0, 1.0)
    Overlapped(exposed_s=1.0, slowdown_s=0.0)
    """
    stretched = 1.0 + network_slowdown_frac
    hidden_s = min(communication_s, hidden_frac * window_s / stretched)
    return Overlapped(communication_s - hidden_s, compute_slowdown_frac * hidden_s * stretched)
