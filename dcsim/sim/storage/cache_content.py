"""What a cache holds: named contents, whole or in part, the least recently used leaving first."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

_WHOLE = 1.0 - 1e-12  # an epoch of bytes that are floats is over when this share of it is


@dataclass(frozen=True, slots=True)
class Content:
    """Something that is read again: a data set, a checkpoint, the weights of a model."""

    name: str
    num_bytes: float


@dataclass(slots=True)
class _Held:
    """The part of a content that the cache has, and how far the epoch that now reads it has come."""

    held_bytes: float = 0.0
    held_before_bytes: float = 0.0  # when this epoch began: what it will find
    read_bytes: float = 0.0  # of this epoch


_NOTHING = _Held()


class CacheContent:
    """Bytes that a cache holds of each content.

    A content is read in epochs, each byte once in each, in an order drawn anew: of an epoch the cache finds
    the share that it held when the epoch began, evenly over the epoch (``pinned_hit_frac`` of
    ``formulas.dataset_reads``). What was missed is kept while there is room; a content takes room from
    others, the least recently used first, never from itself, so that a data set larger than the cache does
    not thrash.
    """

    def __init__(self, capacity_bytes: float) -> None:
        self._capacity_bytes = capacity_bytes
        self._held: OrderedDict[str, _Held] = OrderedDict()

    @property
    def used_bytes(self) -> float:
        """Bytes held in all."""
        return math.fsum(held.held_bytes for held in self._held.values())

    def held_bytes(self, name: str) -> float:
        """Bytes held of one content."""
        return self._held[name].held_bytes if name in self._held else 0.0

    def found_frac(self, content: Content) -> float:
        """Share of the present epoch of a content that is found here."""
        held = self._held.get(content.name)
        return min(1.0, held.held_before_bytes / content.num_bytes) if held is not None else 0.0

    def unread_bytes(self, content: Content) -> float:
        """Bytes until the present epoch ends and another share is found; infinite where it stays the same."""
        most = min(content.num_bytes, self._capacity_bytes)
        held = self._held.get(content.name, _NOTHING)
        if held.held_before_bytes >= most * _WHOLE:
            return math.inf
        return content.num_bytes - held.read_bytes

    def read(self, content: Content, num_bytes: float) -> tuple[float, float]:
        """Read so much of a content: bytes found here, and bytes kept of those that were not."""
        held = self._used(content.name)
        hit = kept = 0.0
        left = num_bytes
        while left > 0.0 and content.num_bytes > 0.0:
            if left > content.num_bytes and held.read_bytes == 0.0 and math.isinf(self.unread_bytes(content)):
                num_epochs = left // content.num_bytes  # all alike
                hit += num_epochs * min(content.num_bytes, held.held_before_bytes)
                left -= num_epochs * content.num_bytes
                continue
            of_epoch = min(left, content.num_bytes - held.read_bytes)
            hit_now = of_epoch * min(1.0, held.held_before_bytes / content.num_bytes)
            hit += hit_now
            kept += self._keep(content, held, of_epoch - hit_now)
            held.read_bytes += of_epoch
            left -= of_epoch
            if held.read_bytes >= content.num_bytes * _WHOLE:
                held.read_bytes, held.held_before_bytes = 0.0, held.held_bytes
        return hit, kept

    def write(self, content: Content) -> float:
        """Write a content whole: bytes of it that are kept."""
        held = self._used(content.name)
        held.held_bytes = 0.0
        kept = self._keep(content, held, content.num_bytes)
        held.read_bytes, held.held_before_bytes = 0.0, held.held_bytes
        return kept

    def lose(self, frac: float) -> None:
        """Forget a share of everything: that of a node whose local cache is gone."""
        for held in self._held.values():
            held.held_bytes *= 1.0 - frac
            held.held_before_bytes *= 1.0 - frac

    def _used(self, name: str) -> _Held:
        held = self._held.setdefault(name, _Held())
        self._held.move_to_end(name)
        return held

    def _keep(self, content: Content, held: _Held, num_bytes: float) -> float:
        """Keep up to so many bytes more of a content, making room; the bytes kept."""
        wanted = min(num_bytes, content.num_bytes - held.held_bytes)
        room = self._capacity_bytes - self.used_bytes
        for name, other in self._held.items():
            if room >= wanted:
                break
            if name != content.name:
                evicted = min(other.held_bytes, wanted - room)
                other.held_bytes -= evicted
                other.held_before_bytes = min(other.held_before_bytes, other.held_bytes)
                room += evicted
        kept = max(0.0, min(wanted, room))
        held.held_bytes += kept
        return kept
