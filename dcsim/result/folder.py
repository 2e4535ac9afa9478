"""Folders that appear whole or not at all.

A result is written into a hidden sibling of its folder and renamed when every byte is on the disk. A
process killed on the way leaves the hidden folder only; the next save into the same place removes it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dcsim.errors import Problem, ScenarioError

MANIFEST = "manifest.json"
FORMAT = "dcsim-result"
_UNFINISHED = ".dcsim-unfinished-"


def check_output_folder(folder: Path, *, overwrite: bool = False) -> None:
    """Make sure that a result can be saved there, before the work is done.

    Raises ScenarioError when the folder holds something else, or cannot be written.
    """
    try:
        target = folder.resolve()
        if target.is_dir() and any(target.iterdir()):
            _check_replaceable(folder, target, overwrite=overwrite)
        elif target.exists() and not target.is_dir():
            raise refusal(folder, "is a file, not a folder", "Choose another folder")
        _probe(next(parent for parent in target.parents if parent.exists()))
    except OSError as error:
        raise refusal(
            folder, f"cannot be written: {error.strerror or error}", "Choose another folder"
        ) from error


def check_output_file(path: Path, *, overwrite: bool = False, suffixes: tuple[str, ...] = ()) -> None:
    """Make sure that a file can be written there, before the work is done.

    Raises ScenarioError when its name ends in none of the suffixes, when it exists and may not be
    overwritten, and when it cannot be written.
    """
    try:
        if path.is_dir():
            raise refusal(path, "is a folder, not a file", "Choose another file")
        if suffixes and not path.name.endswith(suffixes):
            raise refusal(path, f"must end in {' or '.join(suffixes)}", "Choose another file")
        if os.path.lexists(path) and not overwrite:
            raise refusal(path, "already exists", "Choose another file, or give --overwrite")
        _probe(path.resolve().parent)
    except OSError as error:
        raise refusal(path, f"cannot be written: {error.strerror or error}", "Choose another file") from error


def _probe(folder: Path) -> None:
    """Raise OSError unless the folder can be written: nothing tells as surely as doing it."""
    with tempfile.TemporaryDirectory(prefix=".dcsim-probe-", dir=folder):
        pass


def _check_replaceable(folder: Path, target: Path, *, overwrite: bool) -> None:
    if not is_result(target):
        raise refusal(folder, "is not empty, and holds no dcsim result", "Choose another folder")
    if not overwrite:
        raise refusal(
            folder, "already holds a result", "Choose another folder, or give --overwrite (overwrite=True)"
        )


def is_result(folder: Path) -> bool:
    """Whether the folder holds a saved result."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and manifest.get("format") == FORMAT


@contextmanager
def whole_folder(folder: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A hidden folder to write into: it takes the given name when the block ends well, else it goes."""
    check_output_folder(folder, overwrite=overwrite)
    target = folder.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_unfinished(target)
    hidden = Path(tempfile.mkdtemp(prefix=f"{_hidden_prefix(target)}{os.getpid()}-", dir=target.parent))
    hidden.chmod(0o777 & ~_umask())  # mkdtemp makes it private; a result is as open as any folder
    try:
        yield hidden
        _flush(hidden)
        _take_place(hidden, target)
        _flush_folder(target.parent)
    finally:
        if hidden.exists():
            shutil.rmtree(hidden)


def _take_place(hidden: Path, target: Path) -> None:
    if not target.exists():
        hidden.rename(target)
        return
    old = Path(tempfile.mkdtemp(prefix=f"{_hidden_prefix(target)}{os.getpid()}-", dir=target.parent))
    target.rename(old / "old")
    hidden.rename(target)
    shutil.rmtree(old)


def _hidden_prefix(target: Path) -> str:
    return f".{target.name}{_UNFINISHED}"


def _remove_unfinished(target: Path) -> None:
    """Remove what killed processes left behind; a living process's folder stays."""
    prefix = _hidden_prefix(target)
    for sibling in target.parent.iterdir():
        if sibling.name.startswith(prefix) and not _is_alive(sibling.name.removeprefix(prefix).split("-")[0]):
            shutil.rmtree(sibling)


def _is_alive(process: str) -> bool:
    if not process.isdigit():
        return False
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _flush(folder: Path) -> None:
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    _flush_folder(folder)


def _flush_folder(folder: Path) -> None:
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def file_sha256(path: Path) -> str:
    """The hash by which a result knows its files."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def refusal(place: Path, message: str, remedy: str) -> ScenarioError:
    """What is wrong with a folder or a file, as an error to raise."""
    return ScenarioError(Problem(file=str(place), message=message, remedy=remedy))
