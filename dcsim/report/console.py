"""The console that reports are printed on: 80 to 120 columns, no colour when piped."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_MIN_WIDTH = 80
_MAX_WIDTH = 120
_PIPED_WIDTH = 100


def console() -> Console:
    """A console on the standard output."""
    from rich.console import Console

    class PipedConsole(Console):
        """A console whose reader may go away, which is for the command line to judge: rich ends with 1."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    made = PipedConsole(file=sys.stdout, highlight=False, soft_wrap=False, emoji=False, markup=False)
    width = min(max(made.width, _MIN_WIDTH), _MAX_WIDTH) if made.is_terminal else _PIPED_WIDTH
    made.width = width
    return made
