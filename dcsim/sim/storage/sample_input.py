"""Samples of a training job: a stream from the store of its data set for as long as it computes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from dcsim.sim.storage.store import Store
from dcsim.sim.storage.stream import Stream
from dcsim.spec.dataset_reads import DatasetReads

_LEAST_PACE_FRAC = 1e-6  # of a step: smaller changes leave the stream as it is
_MAX_ROUNDS = 4  # at one instant, of reads and collectives that slow each other down


class SampleInput:
    """What one job reads beside others, from a store and over the fabric, at the pace of its steps."""

    def __init__(self, store: Store, reads: DatasetReads, job: str = "") -> None:
        self._store, self._reads, self._job = store, reads, job

    def occupy(self, nodes: Sequence[int], on_change: Callable[[float], None]) -> SampleUse:
        """Read to these nodes until released, once ``follow`` has set the pace."""
        return SampleUse(self._store, self._reads, self._job, tuple(nodes), on_change)


class SampleUse:
    """The stream of a job. It asks for what steps would take up that never wait for samples.

    So it gives way to others: what it gets is no more than that, and where it is less, steps last as long as
    their samples take. Either way as many bytes are read as steps take up.
    """

    def __init__(
        self,
        store: Store,
        reads: DatasetReads,
        job: str,
        nodes: tuple[int, ...],
        on_change: Callable[[float], None],
    ) -> None:
        self._store, self._reads, self._job = store, reads, job
        self._nodes, self._on_change = nodes, on_change
        self._stream: Stream | None = None
        self._asked_bytes_per_s = 0.0
        self._num_paced, self._paced_at_s = 0, math.nan

    @property
    def bytes_per_s(self) -> float | None:
        """Rate at which samples arrive; None where steps need not wait for them."""
        share_frac = 1.0 if self._stream is None else self._stream.share_frac
        return None if share_frac >= 1.0 else self._asked_bytes_per_s * share_frac

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
        if self._stream is not None:
            is_same = abs(asked / self._asked_bytes_per_s - 1.0) < _LEAST_PACE_FRAC
            if is_same or self._num_paced >= _MAX_ROUNDS:
                return
        self._num_paced += 1
        self.pause()
        self._asked_bytes_per_s = asked
        self._stream = self._store.stream(
            self._nodes,
            asked,
            bytes_per_file=self._reads.bytes_per_file,
            hit_frac=self._reads.hit_frac,
            label=f"data set {self._job}".rstrip(),
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
