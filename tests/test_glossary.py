"""One word, one meaning: identifiers use the words of GLOSSARY.md and none that it forbids."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "dcsim").rglob("*.py"))


def forbidden_words() -> set[str]:
    """The words in code font in the last column of the table of words that collide."""
    section = (ROOT / "GLOSSARY.md").read_text(encoding="utf-8").split("## ")[1]
    rows = [line.rsplit("|", 2)[1] for line in section.splitlines() if line.startswith("|")]
    return {word for row in rows for word in re.findall(r"`([a-z]+)`", row)} - {"goodput"}


def identifiers(file: Path) -> Iterator[str]:
    """Names that a file defines: functions, classes, arguments and assigned variables; constants excepted."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and not node.id.isupper():
            yield node.id


def words(identifier: str) -> set[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", identifier)
    return {word.removesuffix("s") for word in spaced.lower().split("_")} | set(spaced.lower().split("_"))


def test_the_glossary_forbids_something() -> None:
    assert {"qps", "rps", "gpu", "tick"} <= forbidden_words()


def test_identifiers_use_the_words_of_the_glossary() -> None:
    forbidden = forbidden_words()
    used = {(str(file.relative_to(ROOT)), name) for file in FILES for name in identifiers(file)}
    assert not {(file, name) for file, name in used if words(name) & forbidden}


def test_a_bare_goodput_is_no_name() -> None:
    assert not [file for file in FILES if "goodput" in set(identifiers(file))]


def test_no_file_has_a_name_that_says_nothing() -> None:
    assert not {file.name for file in FILES} & {"utils.py", "common.py", "helpers.py", "misc.py"}
