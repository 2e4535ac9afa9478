"""Files that may be packed with gzip."""

from __future__ import annotations

import zlib
from pathlib import Path

from dcsim.errors import Problem, ScenarioError
from dcsim.workloads.data_file import content

_MAGIC = b"\x1f\x8b"
_WITH_HEADER = 16 + zlib.MAX_WBITS
_MAX_BYTES = 2**31  # what a packed file may unpack to


def unpacked_content(path: Path, num_bytes: int | None = None) -> bytes:
    """The file's bytes, unpacked if it is packed, or the first so many. Raises ScenarioError if damaged."""
    if content(path, len(_MAGIC)) != _MAGIC:
        return content(path, num_bytes)
    unpacker = zlib.decompressobj(_WITH_HEADER)
    try:
        raw = unpacker.decompress(content(path), _MAX_BYTES if num_bytes is None else num_bytes)
    except zlib.error as error:
        raise ScenarioError(Problem(f"is damaged: {error}", file=str(path))) from error
    if num_bytes is None and not unpacker.eof:
        is_long = len(raw) >= _MAX_BYTES
        message = "is larger than 2 GiB when unpacked" if is_long else "is cut off: fetch it again"
        raise ScenarioError(Problem(message, file=str(path)))
    return raw
