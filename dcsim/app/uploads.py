"""Files that people upload: limited in size and kind, given a harmless name, kept in the draft's folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from dcsim import Problem, ScenarioError

_MEGABYTE = 1_000_000
MAX_BYTES = {
    ".yaml": _MEGABYTE,
    ".yml": _MEGABYTE,
    ".json": _MEGABYTE,
    ".npz": 8 * _MEGABYTE,
    ".csv": 64 * _MEGABYTE,
    ".parquet": 64 * _MEGABYTE,
}
SCENARIO_TYPES = ("yaml", "yml")
BESIDE_TYPES = ("csv", "parquet", "json", "yaml", "yml", "npz")
TRACE_SUFFIXES = (".csv", ".parquet")
MAX_FILES = 32  # of one session
_MAX_NAME = 80
_PARQUET = b"PAR1"
_ZIP = b"PK\x03\x04"
_MAX_PARQUET_BYTES = 2_000 * _MEGABYTE  # unpacked


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it came in."""

    name: str
    content: bytes


def safe_name(name: str) -> str:
    """A file name without folders, blanks or anything that a shell or a page could take for more.

    >>> safe_name("../../etc/passwd"), safe_name("my trace (1).csv"), safe_name("<b>.csv")
    ('passwd', 'my_trace_1.csv', 'b.csv')
    """
    last = re.split(r"[\\/\0]", name)[-1]
    stem, dot, suffix = last.rpartition(".")
    if not dot:
        stem, suffix = last, ""
    stem = re.sub(r"[^\w-]+", "_", stem, flags=re.ASCII).strip("_-") or "file"
    suffix = re.sub(r"\W+", "", suffix, flags=re.ASCII).lower()
    return f"{stem[:_MAX_NAME]}.{suffix}" if suffix else stem[:_MAX_NAME]


def save(upload: Upload, folder: Path) -> Path:
    """Keep an upload in the folder, under a safe name; an older one of that name is replaced.

    Raises ScenarioError for a kind of file that no scenario names, one that is too large, one whose content
    belies its name, and for too many.
    """
    name = safe_name(upload.name)
    suffix = Path(name).suffix
    limit = MAX_BYTES.get(suffix)
    if limit is None:
        kinds = ", ".join(sorted(MAX_BYTES))
        raise _refusal(name, f"is of a kind that no scenario reads; these are read: {kinds}")
    if not upload.content:
        raise _refusal(name, "is empty")
    if len(upload.content) > limit:
        megabytes = f"{len(upload.content) / _MEGABYTE:.1f} MB, at most {limit / _MEGABYTE:.0f} MB are taken"
        raise _refusal(name, f"is too large: {megabytes}")
    _check_content(name, suffix, upload.content)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / name
    if not target.exists() and sum(1 for _ in folder.iterdir()) >= MAX_FILES:
        raise _refusal(name, f"is one too many: a session keeps at most {MAX_FILES} files")
    target.write_bytes(upload.content)
    if suffix == ".parquet":
        _check_parquet(target)
    return target


def _check_content(name: str, suffix: str, content: bytes) -> None:
    begins = {".parquet": _PARQUET, ".npz": _ZIP}.get(suffix)
    if begins is not None:
        if not content.startswith(begins):
            raise _refusal(name, f"is no {suffix[1:]} file, whatever its name says")
        return
    if b"\0" in content:
        raise _refusal(name, "is not text, whatever its name says")
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refusal(name, "is not UTF-8 text") from error


def _check_parquet(path: Path) -> None:
    """Raise unless the file tells a size that fits into memory: small ones may blow up to anything."""
    import pyarrow
    import pyarrow.parquet

    try:
        about = pyarrow.parquet.read_metadata(path)
        groups = (about.row_group(number) for number in range(about.num_row_groups))
        num_bytes = sum(group.total_byte_size for group in groups)
    except (OSError, pyarrow.ArrowException) as error:
        path.unlink()
        raise _refusal(path.name, "is a damaged parquet file") from error
    if num_bytes > _MAX_PARQUET_BYTES:
        path.unlink()
        raise _refusal(path.name, f"is {num_bytes / _MEGABYTE:,.0f} MB when unpacked, too large")


def _refusal(name: str, message: str) -> ScenarioError:
    return ScenarioError(Problem(message, file=name))
