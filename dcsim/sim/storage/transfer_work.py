"""The work of one transfer: its parts at several shared servers, done when all of them are."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dcsim.sim.storage.shared_server import Portion, SharedServer


class TransferWork:
    """Counts the parts of a transfer that are under way and calls back once, after the last."""

    def __init__(self, on_done: Callable[[], None]) -> None:
        self._on_done = on_done
        self._parts: dict[Portion, SharedServer] = {}
        self._is_closed = False

    def begin(self, server: SharedServer, portion: Portion) -> None:
        """Note that a server has taken on a part."""
        self._parts[portion] = server

    def end(self, portion: Portion) -> None:
        """Note that a part is done."""
        del self._parts[portion]
        self._finish_if_done()

    def close(self) -> None:
        """Say that no further parts will begin, but for copies of those that have."""
        self._is_closed = True
        self._finish_if_done()

    def cancel(self) -> None:
        """Take all parts off their servers; nothing is called back."""
        for portion, server in self._parts.items():
            server.drop(portion)
        self._parts.clear()
        self._is_closed = False

    def _finish_if_done(self) -> None:
        if self._is_closed and not self._parts:
            self._is_closed = False
            self._on_done()
