"""Fragmentation of accelerators: how much of what is free no typical job could use.

Weng et al., "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient Descent",
USENIX ATC 2023, section 3.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64] | Floats
Bools = npt.NDArray[np.bool_]


def fragmented(
    free: Numbers,
    free_cores: Numbers,
    demand: Numbers,
    num_accelerators: Numbers,
    cores: Numbers,
    popularity_frac: Floats,
    is_accepting: Bools,
) -> Floats:
    """Expected free accelerators that the next typical job could not use, for each node.

    F_n(M) = sum_m p_m F_n(m). For a job m that does not fit on node n, or asks for no accelerator, F_n(m) is
    all that is free on n; for one that fits, what is free on those accelerators that have less than it asks
    of each. Shapes: ``free`` (nodes, accelerators), ``free_cores`` (nodes), the typical jobs' ``demand`` of
    each accelerator, ``num_accelerators``, ``cores`` and ``popularity_frac`` (jobs), ``is_accepting`` (nodes,
    jobs).

    >>> free, ask = np.array([[0.5, 1.0]]), np.array([0.7])
    >>> fragmented(free, np.array([9]), ask, np.array([1]), np.array([1]), np.array([1.0]), ask[None] > 0)
    array([0.5])
    """
    has_enough = free[:, None, :] >= demand[None, :, None]
    fits = (has_enough & (free > 0)[:, None, :]).sum(axis=2) >= num_accelerators
    fits &= (free_cores[:, None] >= cores) & is_accepting & (demand > 0)
    too_small = (free[:, None, :] * ~has_enough).sum(axis=2)
    lost = np.where(fits, too_small, free.sum(axis=1)[:, None])
    return np.asarray(lost @ popularity_frac, dtype=np.float64)
