"""The table ``failures``: what failed, slowed down or was drained, and when it came back."""

from __future__ import annotations

from collections.abc import Mapping

from dcsim.tables.table import TEXT, Column

FAILURES: Mapping[str, Column] = {
    "failed_at_s": Column("f8", "s", "when it failed, slowed down, or was asked to leave"),
    "repaired_at_s": Column(
        "f8", "s", "when the last of its nodes was back in service; NaN if none was down, or not back yet"
    ),
    "cause": Column(TEXT, "", "cause, as named in the reliability section"),
    "component": Column(TEXT, "", "what failed: accelerator, hbm, nic, link, switch, node, ..."),
    "effect": Column(
        TEXT,
        "",
        "stop; slow (in silence); slow_found; foreseen, false_alarm (predictive maintenance); maintenance",
    ),
    "node": Column("i4", "", "its first node; -1 if only a job crashed"),
    "num_nodes": Column("i4", "", "nodes that it concerns"),
    "num_hit": Column("i4", "", "jobs and replicas that were told"),
}
