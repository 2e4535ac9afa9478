"""The KV blocks of one engine: which are free, and what becomes of them with a prefix cache."""

from __future__ import annotations

from dcsim.sim.serving.active_request import ActiveRequest
from dcsim.sim.serving.engine_options import EngineOptions


class KvBlocks:
    """What every engine knows of its blocks; a part of the engine, since it counts them in every step."""

    __slots__ = ("_block_size", "_cache", "_free_blocks", "_num_blocks", "_num_sent_blocks")

    def __init__(self, options: EngineOptions) -> None:
        self._block_size = options.block_size
        self._free_blocks = self._num_blocks = options.num_blocks
        self._num_sent_blocks = 0  # blocks of KV caches on their way, here or from here
        self._cache = options.prefix_cache()

    def _take(self, request: ActiveRequest, num_blocks: int) -> None:
        """Free blocks become a request's own."""
        request.num_held_blocks += num_blocks
        self._free_blocks -= num_blocks
        if self._cache:
            self._cache.take(num_blocks)

    def _share(self, request: ActiveRequest) -> None:
        """Use the cached blocks that the plan found: idle ones among them come back into use."""
        assert self._cache
        shared = request.num_shared_blocks
        self._free_blocks -= shared - request.num_held_blocks
        self._cache.reference(request.prefix, shared)
        request.num_held_blocks = shared

    def _give_back(self, request: ActiveRequest) -> None:
        """A request's blocks become free; shared ones if nobody else uses them."""
        freed = request.num_held_blocks - request.num_shared_blocks
        if self._cache:
            self._cache.give_back(freed)
            freed += self._cache.release(request.prefix, request.num_shared_blocks)
        self._free_blocks += freed
        request.num_held_blocks = request.num_shared_blocks = 0
