"""Data sets: what a cache finds of a shuffled epoch, and how long epochs and shuffles take."""

from __future__ import annotations

import math

from dcsim.formulas.storage import Access, StoreLimits, part_of_store, transfer_demands


def pinned_hit_frac(num_cache_bytes: float, num_dataset_bytes: float) -> float:
    """Share of a shuffled epoch that a cache finds which keeps what it once holds: min(1, C / D).

    Mohan et al., Analyzing and Mitigating Data Stalls in DNN Training, VLDB 2021 (arXiv:2007.06775), section
    4.1: every item is read once per epoch, so keeping any C bytes saves exactly C bytes of reading.

    >>> pinned_hit_frac(1e12, 4e12)
    0.25
    """
    return min(1.0, num_cache_bytes / num_dataset_bytes)


def lru_shuffled_hit_frac(num_cache_bytes: float, num_dataset_bytes: float) -> float:
    """Share of a shuffled epoch that a least-recently-used cache finds: h = c + (1 - c) ln(1 - c), c = C / D.

    An item read at u of one epoch and v of the next (both uniform in 0..1) has 1 - u (1 - v) of the data set
    read since, and is found if that is less than c: P(U V > 1 - c) = c + (1 - c) ln(1 - c). Thrashing: a
    cache of half the data set finds 15 %. Range: many items, a fresh random order in each epoch.

    >>> round(lru_shuffled_hit_frac(1.0, 2.0), 4)
    0.1534
    """
    cached = min(1.0, num_cache_bytes / num_dataset_bytes)
    return 1.0 if cached == 1.0 else cached + (1.0 - cached) * math.log1p(-cached)


def reshuffle_s(store: StoreLimits, access: Access) -> float:
    """Time to write a data set anew in another order, on the store that it is read from.

    Reading and writing go on at once and share what the store has, but not what each node has of its own:
    T = latency + max over bandwidth, operations and metadata of max(s_r + s_w, o_r, o_w), with s the time at
    the store's full rate and o that at the nodes'. Orders drawn while reading cost no copy, but read
    samples one by one (``steady_bytes_per_s`` with the size of a sample in place of that of a file) unless
    whole files are shuffled and samples only within a buffer.

    >>> from dcsim.formulas.storage import AccessLimits
    >>> reshuffle_s(StoreLimits(AccessLimits(100e9), AccessLimits(50e9)), Access(1e12))
    30.0
    """
    part = part_of_store(store, access)
    reading, writing = transfer_demands(store.reading, part), transfer_demands(store.writing, part)
    resources = (
        (reading.bandwidth, writing.bandwidth),
        (reading.operations, writing.operations),
        (reading.metadata, writing.metadata),
    )
    moved_s = max(max(r.shared_s + w.shared_s, r.own_s, w.own_s) for r, w in resources)
    return max(store.reading.latency_s, store.writing.latency_s) + moved_s
