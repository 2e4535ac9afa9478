"""Tables of the fabric: links, the bytes on them over time, and transfers."""

from __future__ import annotations

from collections.abc import Mapping

from dcsim.tables.table import TEXT, Column

LINKS: Mapping[str, Column] = {
    "source": Column(TEXT, "", "vertex that the link leaves: node 0, leaf 0, spine 0, ..."),
    "destination": Column(TEXT, "", "vertex that it leads to"),
    "bytes_per_s": Column("f8", "B/s", "what it carries at most, in this direction"),
    "num_bytes": Column("f8", "B", "what it carried in the whole run"),
}

LINK_LOADS: Mapping[str, Column] = {
    "link": Column("i4", "", "row of the link in the table of links"),
    "started_at_s": Column("f8", "s", "start of the time bin"),
    "duration_s": Column("f8", "s", "length of the time bin; the last one ends with the run"),
    "num_bytes": Column("f8", "B", "bytes carried in the bin; links and bins without any have no row"),
}

TRANSFERS: Mapping[str, Column] = {
    "label": Column(TEXT, "", "whose bytes these are"),
    "started_at_s": Column("f8", "s", "when it was asked for"),
    "finished_at_s": Column("f8", "s", "when its last byte arrived; NaN if the run ended first"),
    "num_bytes": Column("f8", "B", "bytes of all its flows"),
    "num_flows": Column("i4", "", "flows, each member of a bundle counted"),
    "stalled_s": Column("f8", "s", "time during which at least one of its flows had no way left"),
}

FABRIC_OUTAGES: Mapping[str, Column] = {
    "what": Column(TEXT, "", "switch, or cable by its two ends, that was out of service"),
    "started_at_s": Column("f8", "s", "when it failed or was taken out"),
    "duration_s": Column("f8", "s", "how long it was out of service, within the run"),
    "num_cables": Column("i4", "", "cables that it took along"),
}
