"""Every word of the pages is in the text files, and every language has all of them."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path

import pytest

from dcsim.app.words import DEFAULT_LANGUAGE, Words, languages, texts

APP = Path(__file__).resolve().parents[2] / "dcsim" / "app"
OTHERS = sorted(set(languages()) - {DEFAULT_LANGUAGE})


def literal_keys() -> set[str]:
    """The keys that the code asks for in so many letters."""
    found = set()
    for file in APP.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            is_call = isinstance(node, ast.Call) and ast.unparse(node.func) in ("words", "self.words", "text")
            if is_call and node.args and isinstance(node.args[0], ast.Constant):
                found.add(str(node.args[0].value))
    return found


def parameters(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_english_has_every_word_that_the_code_names() -> None:
    assert literal_keys() - set(texts(DEFAULT_LANGUAGE)) == set()


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_has_all_keys_and_no_others(language: str) -> None:
    own = {key for key in texts(language) if not key.startswith("help.")}  # English has that of the spec
    assert own == set(texts(DEFAULT_LANGUAGE))


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_names_the_same_parameters(language: str) -> None:
    english = texts(DEFAULT_LANGUAGE)
    wrong = {
        key
        for key, text in texts(language).items()
        if key in english
        and parameters(text.replace(":.0f", "")) != parameters(english[key].replace(":.0f", ""))
    }
    assert not wrong


def test_chinese_is_there() -> None:
    assert "zh" in languages()
    assert re.search(r"[\u4e00-\u9fff]", Words("zh")("start.title"))


def test_a_missing_word_is_a_defect() -> None:
    with pytest.raises(KeyError):
        Words("en")("no.such.word")


def test_parameters_are_filled_in() -> None:
    assert Words("en")("problems.more", count=3) == "and 3 more"
