"""Which quantity a number of the summary is, by its dotted path."""

from __future__ import annotations

SECONDS_PER_DAY = 86_400.0
_STATISTICS = ("mean", "p50", "p90", "p95", "p99", "max")


def quantity_name(path: str) -> str:
    """The name that carries the unit: that of the latency, not of its percentile.

    >>> quantity_name("serving.chat.ttft_s.p99"), quantity_name("energy.mean_it_w")
    ('ttft_s', 'mean_it_w')
    """
    *rest, last = path.split(".")
    return rest[-1] if last in _STATISTICS and rest else last
