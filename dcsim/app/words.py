"""The words of the pages: one file for each language under ``texts``, found by its name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import yaml

_FOLDER = Path(__file__).parent / "texts"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's parser, ten times faster, where it exists
DEFAULT_LANGUAGE = "en"


def language_codes() -> list[str]:
    """The codes of the languages that there are. Reads no file."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


@cache
def languages() -> dict[str, str]:
    """The languages that there are: their codes, and what each calls itself."""
    return {code: Words(code)("language") for code in language_codes()}


class Words:
    """The words of one language: ``words("results.title")``, with parameters as of ``str.format``."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._texts = texts(language)
        self._fallback = texts(DEFAULT_LANGUAGE)

    def __call__(self, key: str, **parameters: object) -> str:
        """The text of a key; that of English where this language lacks it. KeyError if neither has it."""
        text = self._texts.get(key) or self._fallback[key]
        return text.format(**parameters) if parameters else text

    def counted(self, key: str, counted_in: object, **parameters: object) -> str:
        """The text of a key for what a model counts: samples, where they have a text of their own."""
        own = self.maybe(f"{key}_in_{counted_in}", "")
        return (own.format(**parameters) if parameters else own) or self(key, **parameters)

    def maybe(self, key: str, otherwise: str) -> str:
        """The text of a key that may be in no file, such as one made from a name of the catalogue."""
        return self._texts.get(key) or self._fallback.get(key) or otherwise


@cache
def texts(language: str) -> Mapping[str, str]:
    """All texts of a language by dotted key."""
    text = (_FOLDER / f"{language}.yaml").read_text(encoding="utf-8")
    return _flat(yaml.load(text, Loader=_LOADER), "")


def _flat(node: Mapping[str, object], prefix: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in node.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = str(value)
    return found
