"""A transfer: the event of its end, which can be cancelled before."""

from __future__ import annotations

from collections.abc import Callable

import simpy


class Transfer(simpy.Event):
    """Succeeds with the bytes moved when the last of them has; never, once it is cancelled.

    ``durable`` succeeds when the bytes are safe in the store itself: with the transfer, or, where a cache
    takes writes and passes them on, when they have drained to the store.
    """

    def __init__(self, environment: simpy.Environment, num_bytes: float) -> None:
        super().__init__(environment)
        self.num_bytes = num_bytes
        self.durable = simpy.Event(environment)
        self.is_cancelled = False
        self._when_cancelled: list[Callable[[], None]] = []

    def finish_durably(self) -> None:
        """All bytes have moved, and are safe."""
        self.succeed(self.num_bytes)
        self.make_durable()

    def make_durable(self) -> None:
        """The bytes are safe in the store."""
        self.durable.succeed(self.num_bytes)

    def when_cancelled(self, action: Callable[[], None]) -> None:
        """Say what to undo if it is cancelled."""
        self._when_cancelled.append(action)

    def cancel(self) -> None:
        """Give up what has not moved yet. A transfer that is done stays done; its drain is given up."""
        if not self.is_cancelled and not self.durable.triggered:
            self.is_cancelled = True
            for action in self._when_cancelled:
                action()
