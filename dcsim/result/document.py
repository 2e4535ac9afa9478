"""A scenario's document as YAML text that the strict reader reads back to the same values."""

from __future__ import annotations

import re
from collections.abc import Mapping

import yaml


class _Dumper(yaml.SafeDumper):
    """PyYAML, except that it writes no anchors and puts in quotes what YAML 1.2 would take for a number."""

    def ignore_aliases(self, data: object) -> bool:
        return True


_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+")
_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(f"(?:{_NUMBER.pattern})$"), list("-+.0123456789")
)


def document_text(document: Mapping[str, object]) -> str:
    """The document as YAML."""
    text: str = yaml.dump(dict(document), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return text
