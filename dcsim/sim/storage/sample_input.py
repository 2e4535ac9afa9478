"""Samples of a training job: a stream from the store of its data set for as long as it computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dcsim.sim.storage.store import Store
from dcsim.sim.storage.stream import Stream
from dcsim.spec.dataset_reads import DatasetReads


class SampleInput:
    """What one job reads beside others: as much as its undisturbed steps take up.

    ``occupy`` returns a stream whose ``share_frac`` is the part that arrives; steps then last as long as
    samples at ``bytes_per_s`` of that share take (``StepCondition.input_bytes_per_s``).
    """

    def __init__(self, store: Store, reads: DatasetReads) -> None:
        self._store, self._reads = store, reads

    def occupy(self, nodes: Sequence[int], on_change: Callable[[float], None]) -> Stream:
        """Read to these nodes until released."""
        reads = self._reads
        return self._store.stream(
            nodes,
            reads.wanted_bytes_per_s,
            bytes_per_file=reads.bytes_per_file,
            hit_frac=reads.hit_frac,
            on_change=on_change,
        )

    def bytes_per_s(self, share_frac: float) -> float:
        """Rate at which samples arrive when the stream gets so much of what it asks for."""
        return self._reads.wanted_bytes_per_s * share_frac
