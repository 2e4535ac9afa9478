"""Samples of a training job: a stream from the store of its data set for as long as it computes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import simpy

from dcsim.sim.storage.cache_content import Content
from dcsim.sim.storage.reshuffling import Reshuffling
from dcsim.sim.storage.staging import Staging
from dcsim.sim.storage.store import Store
from dcsim.sim.storage.stream import Stream
from dcsim.spec.training.dataset_reads import DatasetReads

_LEAST_PACE_FRAC = 1e-6  # of a step: smaller changes leave the stream as it is
_MAX_CHANGES = 10_000  # of what a cache finds: for a job of many epochs, a second or so
_MAX_ROUNDS = 4  # at one instant, of reads and collectives that slow each other down


class SampleInput:
    """What one job reads beside others, from a store and over the fabric, at the pace of its steps.

    Before, ``stage`` brings the data set to the store, and between epochs ``shuffle`` writes it anew, where
    the job asks for that.
    """

    def __init__(
        self,
        store: Store,
        reads: DatasetReads,
        job: str = "",
        *,
        staging: Staging | None = None,
        reshuffling: Reshuffling | None = None,
    ) -> None:
        self.store, self.reads = store, reads
        self.num_changes = 0  # of what a cache finds, so far
        self._job = job
        self._staging, self._reshuffling = staging, reshuffling

    def stage(self, nodes: Sequence[int]) -> simpy.Event | None:
        """Begin to copy what these nodes lack of the data set; None if they lack nothing."""
        return None if self._staging is None else self._staging.copy_to(nodes)

    @property
    def next_shuffle(self) -> float:
        """Steps after which the data set is shuffled next; infinite for never."""
        return math.inf if self._reshuffling is None else self._reshuffling.next_position

    def shuffle(self, nodes: Sequence[int]) -> simpy.Event:
        """Begin to write the data set anew, from these nodes."""
        assert self._reshuffling is not None
        return self._reshuffling.shuffle(nodes)

    def occupy(self, nodes: Sequence[int], on_change: Callable[[float], None]) -> SampleUse:
        """Read to these nodes until released, once ``follow`` has set the pace."""
        return SampleUse(self, tuple(nodes), on_change)

    @property
    def content(self) -> Content:
        """What a cache knows the data set by: another one once it has been written anew."""
        order = 0 if self._reshuffling is None else self._reshuffling.num_done
        name = f"data set {self._job}".rstrip() + (f" {order}" if order else "")
        return Content(name, self.reads.num_bytes or 0.0)


class SampleUse:
    """The stream of a job. It asks for what steps would take up that never wait for samples.

    So it gives way to others: what it gets is no more than that, and where it is less, steps last as long as
    their samples take. Either way as many bytes are read as steps take up. What a cache finds stays the same
    for an epoch.
    """

    def __init__(
        self, owner: SampleInput, nodes: tuple[int, ...], on_change: Callable[[float], None]
    ) -> None:
        self._owner, self._content = owner, owner.content
        self._store, self._reads = owner.store, owner.reads
        self._nodes, self._on_change = nodes, on_change
        self._stream: Stream | None = None
        self._asked_bytes_per_s = self._hit_frac = 0.0
        self._num_paced, self._paced_at_s = 0, math.nan

    @property
    def bytes_per_s(self) -> float | None:
        """Rate at which samples arrive; None where steps need not wait for them."""
        share_frac = 1.0 if self._stream is None else self._stream.share_frac
        return None if share_frac >= 1.0 else self._asked_bytes_per_s * share_frac

    @property
    def steps_to_change(self) -> float:
        """Steps until a cache finds another share of the data set; infinite for never.

        Data sets that take a cache from each other for ever are not followed all the way.
        """
        if not self._is_cached or self._owner.num_changes >= _MAX_CHANGES:
            return math.inf
        return self._store.bytes_to_change(self._content) / self._reads.bytes_per_step

    @property
    def _is_cached(self) -> bool:
        """Whether a cache can know what it has of the data set."""
        return self._content.num_bytes > 0.0 and self._reads.bytes_per_step > 0.0

    def count(self, num_steps: float) -> None:
        """So many steps have been done: the cache has seen their samples."""
        if self._is_cached:
            self._store.count_read(self._content, num_steps * self._reads.bytes_per_step)

    def follow(self, step_s: float) -> None:
        """Read for steps that last so long if they need not wait for samples; infinitely long ones read none.

        Reads and collectives that slow each other down settle in a few rounds of one instant.
        """
        asked = self._reads.bytes_per_step / step_s
        if asked <= 0.0:
            self.pause()
            return
        now_s = self._store.now_s
        if now_s != self._paced_at_s:
            self._num_paced, self._paced_at_s = 0, now_s
        hit_frac = self._store.cached_frac(self._content) if self._is_cached else 0.0
        if self._stream is not None:
            is_same = abs(asked / self._asked_bytes_per_s - 1.0) < _LEAST_PACE_FRAC
            if (is_same and hit_frac == self._hit_frac) or self._num_paced >= _MAX_ROUNDS:
                return
        self._num_paced += 1
        self._owner.num_changes += hit_frac != self._hit_frac
        self.pause()
        self._asked_bytes_per_s, self._hit_frac = asked, hit_frac
        self._stream = self._store.stream(
            self._nodes,
            asked,
            bytes_per_file=self._reads.bytes_per_file,
            hit_frac=hit_frac,
            label=self._content.name,
            on_change=self._on_change,
        )

    def pause(self) -> None:
        """Read nothing until the next ``follow``: while steps stand still."""
        if self._stream is not None:
            self._stream.release()
            self._stream = None

    def release(self) -> None:
        """End it."""
        self.pause()
