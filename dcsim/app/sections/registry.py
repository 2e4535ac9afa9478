"""Sections found by their files: a new one is a new file with ``ORDER`` and ``show``."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import ModuleType
from typing import Any


@cache
def sections_of(package: ModuleType) -> tuple[Any, ...]:
    """The sections of a page, in their order."""
    found = [
        importlib.import_module(f"{package.__name__}.{one.name}")
        for one in pkgutil.iter_modules(package.__path__)
    ]
    return tuple(sorted(found, key=lambda module: int(module.ORDER)))
