"""What the tests of pages give back to the tests after them."""

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _main_module_as_it_was() -> Iterator[None]:
    """AppTest leaves its script as ``__main__``, which processes spawned later would run again."""
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before
