"""Links that carry a scenario: its text, packed into the address."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterable

from dcsim import Problem, ScenarioError

MAX_LINK = 8_000  # characters; longer addresses get lost on their way
_MAX_BYTES = 1 << 18  # of text, unpacked: what a small packet may blow up to


def packed(text: str) -> str | None:
    """The text for an address; None if it is too long for one."""
    code = base64.urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode().rstrip("=")
    return code if len(code) <= MAX_LINK else None


def unpacked(code: str) -> str:
    """The text in an address. Raises ScenarioError if it is damaged or larger than any scenario."""
    try:
        if len(code) > MAX_LINK:
            raise ValueError
        unzip = zlib.decompressobj()
        content = unzip.decompress(
            base64.b64decode(code + "=" * (-len(code) % 4), altchars=b"-_", validate=True), _MAX_BYTES
        )
        if not unzip.eof:
            raise ValueError
        return content.decode()
    except (ValueError, binascii.Error, zlib.error) as error:
        remedy = "Ask for the link again, or for the YAML file"
        raise ScenarioError(
            Problem("holds no scenario: the link is damaged", file="link", remedy=remedy)
        ) from error


def with_plain_names(text: str, names: Iterable[str]) -> str:
    """The scenario of a run with its files named as they were uploaded, without the run's folder for them.

    >>> with_plain_names("trace: files/mine.csv", ["mine.csv"])
    'trace: mine.csv'
    """
    for name in names:
        text = text.replace(f"files/{name}", name)
    return text
