"""The column names of a CSV file, by which formats are told apart."""

from __future__ import annotations

import csv
from pathlib import Path

from dcsim.workloads.packed_file import unpacked_content

_HEAD_BYTES = 65_536


def header_of(head: bytes | Path) -> tuple[str, ...]:
    """The names in the first line of a file, or of its beginning."""
    raw = unpacked_content(head, _HEAD_BYTES) if isinstance(head, Path) else head
    lines = raw.decode("utf-8-sig", "replace").splitlines()
    return tuple(name.strip() for name in next(csv.reader(lines[:1]), []))
