"""Tables of lending: nodes that serving lent to jobs, and the pauses of replicas that made them free."""

from __future__ import annotations

from collections.abc import Mapping

from dcsim.tables.table import TEXT, Column

LENDING: Mapping[str, Column] = {
    "node": Column("i4", "", "node that was lent"),
    "started_at_s": Column("f8", "s", "when jobs could have it: all replicas on it were off"),
    "ended_at_s": Column("f8", "s", "when it was taken back; NaN if it was lent when the simulation ended"),
    "num_preempted": Column("i4", "", "jobs stopped when it was taken back"),
}

REPLICA_PAUSES: Mapping[str, Column] = {
    "workload": Column(TEXT, "", "name of the served model"),
    "replica": Column("i4", "", "replica that was switched off"),
    "asked_at_s": Column("f8", "s", "from when on it took no new requests"),
    "off_at_s": Column("f8", "s", "when it had finished the last; NaN if it was wanted back before"),
    "wanted_at_s": Column("f8", "s", "when it was wanted back; NaN if it was not"),
    "serving_at_s": Column("f8", "s", "when it took requests again; NaN if it did not"),
}
