"""Tables of lending: when jobs could have nodes of serving, and the pauses of replicas that freed them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from dcsim.tables.table import TEXT, Column


class LoanEnd(StrEnum):
    """Why jobs could not have a node any more."""

    OPEN = ""  # they could when the simulation ended
    TAKEN_BACK = "taken_back"
    OUT_OF_SERVICE = "out_of_service"


LENDING: Mapping[str, Column] = {
    "node": Column("i4", "", "node that was lent"),
    "workload": Column(TEXT, "", "served model that lent it: of several on one node each has a row"),
    "num_accelerators": Column("f8", "", "accelerators that it had there"),
    "started_at_s": Column(
        "f8", "s", "when jobs could have it: all replicas on it were off, or it was back from repair"
    ),
    "ended_at_s": Column("f8", "s", "when they could not any more; NaN if the simulation ended before"),
    "ended_by": Column(
        TEXT, "", "taken_back; out_of_service (it failed, or left for repair or maintenance); or empty"
    ),
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
