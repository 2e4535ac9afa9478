"""Validation errors in plain words: pydantic's findings become Problems with a place and a remedy.

Below the catalogue and the scenario, since both read YAML into pydantic models.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from dcsim.errors import Problem, ScenarioError
from dcsim.model_walk import Spot, child_of, has_child, spot_at
from dcsim.strict_yaml import YamlPath, dotted

Place: TypeAlias = tuple[str, int | None]
ModelT = TypeVar("ModelT", bound=BaseModel)

_MESSAGES = {
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "finite_number": "must be finite",
    "multiple_of": "must be a multiple of {multiple_of}",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "may have at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
    "union_tag_invalid": "must be one of {expected_tags}",
    "union_tag_not_found": "a required key is missing",
    "missing": "a required key is missing",
    "extra_forbidden": "unknown key",
}
_FAMILIES = {
    "int_": "must be a whole number",
    "float_": "must be a number",
    "string_": "must be text",
    "bool_": "must be true or false",
    "dict_": "must be a mapping of keys to values",
    "model_": "must be a mapping of keys to values",
    "mapping_": "must be a mapping of keys to values",
    "list_": "must be a list",
    "tuple_": "must be a list",
}
_WITHOUT_VALUE = frozenset({"missing", "extra_forbidden", "union_tag_not_found"})
_EXAMPLE = re.compile(r"[;:,] (write .*)$", re.DOTALL)
_KEY = "[key]"  # in the location of an error: the key is at fault
_MAX_LISTED = 12
_LONGEST_NAME = 100


def validated(
    model: type[ModelT],
    document: object,
    place_of: Callable[[YamlPath], Place],
    context: Mapping[str, object] | None = None,
) -> ModelT:
    """The document as an instance of ``model``. Raises ScenarioError with every problem in it."""
    mistyped = type_problems(model, document, place_of)
    try:
        instance = model.model_validate(document, context=dict(context or {}))
    except ValidationError as error:
        problems = problems_of(error, model, document, place_of)
        known = {problem.path for problem in problems}
        problems += [problem for problem in mistyped if problem.path not in known]
        raise ScenarioError(in_order(problems)) from error
    if mistyped:
        raise ScenarioError(in_order(mistyped))
    return instance


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Problems in the order of the file, top to bottom."""
    return sorted(problems, key=lambda problem: (problem.file, problem.line or 0))


def problems_of(
    error: ValidationError, model: type[BaseModel], document: object, place_of: Callable[[YamlPath], Place]
) -> list[Problem]:
    """Every error of a validation of ``document`` as a Problem."""
    found: dict[tuple[str, str], Problem] = {}
    words: dict[str, str] = {}  # what may stand somewhere instead: a value that is no word is at fault once
    for details in error.errors(include_url=False):
        is_word = details["type"] == "literal_error" and _KEY not in details["loc"]
        for problem in _problems_of_one(details, model, document, place_of):
            if is_word:
                words.setdefault(problem.path, details["ctx"]["expected"])
            found.setdefault((problem.path, problem.message), problem)
    return [
        one for path, kept in _by_path(found.values()).items() for one in _without_word(kept, words.get(path))
    ]


def type_problems(
    model: type[BaseModel], document: object, place_of: Callable[[YamlPath], Place]
) -> list[Problem]:
    """What pydantic lets pass and should not: true and false as numbers, whole numbers beyond 64 bits."""
    problems = []
    for path, value in _leaves(document, ()):
        is_wide = isinstance(value, int) and not -(2**63) <= value < 2**63
        if is_wide or (isinstance(value, bool) and spot_at(model, document, path).is_number):
            file, line = place_of(path)
            message = "must be at most 2^63" if is_wide else "must be a number"
            problems.append(Problem(message, dotted(path), value, file=file, line=line))
    return problems


def nearest(name: str, known: Sequence[str]) -> str:
    """A remedy: the known name that is nearest, or the known names."""
    if not known:
        return ""
    lower = {candidate.lower(): candidate for candidate in reversed(known)}
    wanted = name.lower()[:_LONGEST_NAME]
    close = difflib.get_close_matches(wanted, list(lower), n=1, cutoff=0.6)
    if not close:
        close = [candidate for candidate in lower if candidate in wanted or (wanted and wanted in candidate)][
            :1
        ]
    if close:
        return f"Did you mean '{lower[close[0]]}'?"
    listed = ", ".join(known[:_MAX_LISTED]) + (", ..." if len(known) > _MAX_LISTED else "")
    return f"Known: {listed}"


def _problems_of_one(
    details: Any, model: type[BaseModel], document: object, place_of: Callable[[YamlPath], Place]
) -> Iterator[Problem]:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "too_short" and len(details["input"]) >= context["min_length"]:
        return  # its entries are at fault, and say so
    path = _without_internals(details["loc"], document, kind)
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        path = (*path, str(context["discriminator"]).strip("'"))
    if kind == "entry":
        yield from context["problems"]
        return
    message, remedy = _words(kind, context, details["msg"])
    value = None if kind in _WITHOUT_VALUE and details["input"] is not None else details["input"]
    if value is None and kind not in _WITHOUT_VALUE:
        message += ", not null"
    if kind == "extra_forbidden":
        value, remedy = None, nearest(str(path[-1]), spot_at(model, document, path[:-1]).known_keys)
    elif kind in ("missing", "union_tag_not_found"):
        value, remedy = None, _description(spot_at(model, document, path))
    elif kind in ("unknown_name", "enum", "literal_error") and isinstance(value, str):
        remedy = nearest(value, context.get("known") or re.findall(r"'([^']*)'", context.get("expected", "")))
    if kind == "unknown_name" and "name" in context:
        value, remedy = None, nearest(str(context["name"]), context["known"])
        spot = spot_at(model, document, path)
        path = (*path, spot.name_key) if isinstance(details["input"], dict) and spot.name_key else path
    elif kind == "string_type":
        remedy = "Put it in quotes"
    file, line = place_of(path)
    yield Problem(message, dotted(path), value, remedy, file, line)


def _by_path(problems: Iterable[Problem]) -> dict[str, list[Problem]]:
    """Problems by where they are, in the order in which places were met."""
    places: dict[str, list[Problem]] = {}
    for problem in problems:
        places.setdefault(problem.path, []).append(problem)
    return places


def _without_word(problems: list[Problem], word: str | None) -> list[Problem]:
    """The problems of one place; that a word was expected there becomes part of the others' remedy."""
    others = [one for one in problems if not one.message.startswith(f"must be {word}")]
    if word is None or not others:
        return problems
    return [
        replace(one, remedy=f"{one.remedy}, or {word}" if one.remedy else f"Or write {word}")
        for one in others
    ]


def _words(kind: str, context: Mapping[str, object], original: str) -> tuple[str, str]:
    if kind in _MESSAGES:
        return _MESSAGES[kind].format(**context), ""
    for prefix, message in _FAMILIES.items():
        if kind.startswith(prefix):
            return message, ""
    message = original.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    example = _EXAMPLE.search(message)
    if example:
        return message[: example.start()], example.group(1)[:1].upper() + example.group(1)[1:]
    return message, ""


def _description(spot: Spot) -> str:
    if spot.field is None or not spot.field.description:
        return ""
    return spot.field.description.rstrip(".")


def _without_internals(location: tuple[int | str, ...], document: object, kind: str) -> YamlPath:
    """The location without pydantic's own parts (union tags, '[key]'): those that are not in the document."""
    path: list[int | str] = []
    for number, part in enumerate(location):
        names_an_absence = number == len(location) - 1 and kind in ("missing", "extra_forbidden")
        if has_child(document, part):
            document = child_of(document, part)
        elif not names_an_absence:
            continue
        path.append(part)
    return tuple(path)


def _leaves(value: object, path: YamlPath) -> Iterator[tuple[YamlPath, object]]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _leaves(child, (*path, key))
    elif isinstance(value, list):
        for number, child in enumerate(value):
            yield from _leaves(child, (*path, number))
    else:
        yield path, value
