"""Strict YAML: text becomes plain values with the line of each, and every known trap is closed.

Scalars follow the YAML 1.2 core schema (yaml.org/spec/1.2.2, section 10.3), not PyYAML's 1.1: ``1e9``
is a number, ``24:00`` and ``no`` are text. Duplicate keys, anchors, aliases, tags, merge keys, further
documents, keys that are not text, and files that are too large or nested too deep are refused.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from dcsim.errors import Problem, ScenarioError

MAX_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_NUMBER_LENGTH = 400  # no double needs more digits; int() of unbounded text is quadratic

YamlPath: TypeAlias = tuple[str | int, ...]

_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NOT_TEXT = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's parser, ten times faster, where it exists


@dataclass(frozen=True, slots=True)
class Located:
    """A value read from YAML, and the line on which each part of it stands."""

    value: object
    lines: Mapping[YamlPath, int | None]
    file: str


def dotted(path: YamlPath) -> str:
    """A path as people write it."""
    return ".".join(str(part) for part in path)


def read_yaml_file(path: Path) -> Located:
    """Read a file. Raises ScenarioError where it cannot be read, is too large or is not strict YAML."""
    return read_yaml(read_small_file(path), str(path))


def read_small_file(path: Path) -> bytes:
    """The bytes of a regular file of at most MAX_BYTES. The size is looked at before anything is read."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ScenarioError(Problem("is not a file", file=str(path)))
        if status.st_size > MAX_BYTES:
            raise ScenarioError(_too_large(str(path), status.st_size))
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ScenarioError(Problem("no such file", file=str(path))) from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ScenarioError(Problem(f"cannot be read: {reason}", file=str(path))) from error


def read_yaml(text: str | bytes, file: str) -> Located:
    """Read one strict YAML document. Raises ScenarioError with the file and line of what is wrong."""
    if len(text) > MAX_BYTES:
        raise ScenarioError(_too_large(file, len(text)))
    return _Reader(_decoded(text, file), file).read()


def scalar(text: str) -> bool | int | float | str | None:
    """The value of a plain (unquoted) YAML scalar by the 1.2 core schema.

    >>> scalar("1e9"), scalar("24:00"), scalar("no")
    (1000000000.0, '24:00', 'no')
    """
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > MAX_NUMBER_LENGTH:
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _OCTAL.fullmatch(text):
        return int(text[2:], 8)
    if _HEX.fullmatch(text):
        return int(text[2:], 16)
    if _NOT_FINITE.fullmatch(text):
        return float(text.replace(".", ""))
    return text


def _too_large(file: str, num_bytes: int) -> Problem:
    return Problem(
        f"is too large: {num_bytes} bytes, at most {MAX_BYTES} are read",
        file=file,
        remedy="Keep bulk data in a trace file and name its path",
    )


def _decoded(text: str | bytes, file: str) -> str:
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise ScenarioError(Problem("is not UTF-8 text", file=file, line=line)) from error
    bad = _NOT_TEXT.search(text)
    if bad:
        line = text.count("\n", 0, bad.start()) + 1
        message = f"holds the character {bad.group()!a}, which YAML does not allow; is it a binary file?"
        raise ScenarioError(Problem(message, file=file, line=line))
    return text


class _Reader:
    """Turns the parser's events into values, noting lines and problems on the way."""

    def __init__(self, text: str, file: str) -> None:
        self._file = file
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=_LOADER)
        self._lines: dict[YamlPath, int | None] = {}
        self._problems: list[Problem] = []

    def read(self) -> Located:
        """Read the only document."""
        value: object = None
        num_documents = 0
        try:
            for event in self._events:
                if isinstance(event, yaml.DocumentStartEvent):
                    num_documents += 1
                    if num_documents > 1:
                        self._refuse(event, (), "a second document starts here", "Keep one document per file")
                        break
                    value = self._node(next(self._events), ())
        except yaml.MarkedYAMLError as error:
            raise ScenarioError(self._syntax_problem(error)) from error
        except yaml.YAMLError as error:
            raise ScenarioError(
                Problem(f"is not YAML: {' '.join(str(error).split())}", file=self._file)
            ) from error
        if self._problems:
            raise ScenarioError(self._problems)
        return Located(value, self._lines, self._file)

    def _node(self, event: Any, path: YamlPath) -> object:
        self._lines.setdefault(path, _line(event))
        if len(path) > MAX_DEPTH:
            problem = self._problem(event, path[:3], f"is nested deeper than {MAX_DEPTH} levels", "")
            raise ScenarioError([*self._problems, problem])
        if isinstance(event, yaml.AliasEvent):
            self._refuse(
                event, path, f"aliases (*{event.anchor}) are refused", "Repeat the value, or use base:"
            )
            return None
        self._refuse_decoration(event, path)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        return scalar(event.value) if event.implicit[0] else str(event.value)

    def _mapping(self, path: YamlPath) -> dict[str, object]:
        mapping: dict[str, object] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event, path)
            below = (*path, key)
            if key in mapping:
                first = self._lines[below]
                self._refuse(
                    event, below, f"the key stands twice, first on line {first}", "Remove one of them"
                )
            self._lines.setdefault(below, _line(event))
            mapping[key] = self._node(next(self._events), below)
        return mapping

    def _key(self, event: Any, path: YamlPath) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            problem = self._problem(event, path, "a key must be text, not a list or mapping", "")
            raise ScenarioError([*self._problems, problem])
        self._refuse_decoration(event, (*path, event.value))
        if event.implicit[0]:
            if event.value == "<<":
                self._refuse(event, (*path, "<<"), "merge keys are refused", "Inherit with base:")
            elif not isinstance(scalar(event.value), str):
                self._refuse(event, (*path, event.value), "a key must be text", "Put it in quotes")
        return str(event.value)

    def _sequence(self, path: YamlPath) -> list[object]:
        items: list[object] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, (*path, len(items))))
        return items

    def _refuse_decoration(self, event: Any, path: YamlPath) -> None:
        if event.anchor is not None:
            self._refuse(
                event, path, f"anchors (&{event.anchor}) are refused", "Repeat the value, or use base:"
            )
        if event.tag is not None:
            self._refuse(event, path, f"tags ({event.tag}) are refused", "Write the plain value")

    def _refuse(self, event: yaml.Event, path: YamlPath, message: str, remedy: str) -> None:
        self._problems.append(self._problem(event, path, message, remedy))

    def _problem(self, event: yaml.Event, path: YamlPath, message: str, remedy: str) -> Problem:
        return Problem(message, dotted(path), remedy=remedy, file=self._file, line=_line(event))

    def _syntax_problem(self, error: yaml.MarkedYAMLError) -> Problem:
        mark = error.problem_mark or error.context_mark
        message = "is not YAML: " + ", ".join(part for part in (error.context, error.problem) if part)
        return Problem(" ".join(message.split()), file=self._file, line=mark.line + 1 if mark else None)


def _line(event: yaml.Event) -> int | None:
    return event.start_mark.line + 1 if event.start_mark else None
