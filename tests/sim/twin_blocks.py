"""Explicit KV blocks for the twin: block ids, their holders, and a prefix cache evicted in LRU order."""

from __future__ import annotations

from collections.abc import Sequence


class TwinBlocks:
    """All blocks of an engine. A free block may still hold a piece of a prefix until it is taken again."""

    def __init__(self, num_blocks: int) -> None:
        self.free = list(range(num_blocks))  # next to be taken first
        self.num_holders = [0] * num_blocks
        self.block_of: dict[tuple[int, int], int] = {}  # (prefix, index) -> block
        self.piece_of: dict[int, tuple[int, int]] = {}  # the same, turned round

    @property
    def num_free(self) -> int:
        return len(self.free)

    @property
    def num_used(self) -> int:
        return len(self.num_holders) - len(self.free)

    def take(self) -> int:
        """Take a block out of the free list; what it held is lost."""
        block = self.free.pop(0)
        piece = self.piece_of.pop(block, None)
        if piece is not None:
            del self.block_of[piece]
        self.num_holders[block] = 1
        return block

    def num_cached(self, prefix: int, limit: int) -> int:
        """How many of the first ``limit`` blocks of the prefix can be found, from the first on."""
        num = 0
        while num < limit and (prefix, num) in self.block_of:
            num += 1
        return num

    def unused_hits(self, prefix: int, num: int) -> set[int]:
        """Which of the first ``num`` blocks of the prefix count as free: nobody holds them."""
        blocks = {self.block_of[prefix, index] for index in range(num)}
        return {block for block in blocks if self.num_holders[block] == 0}

    def share(self, prefix: int, num: int) -> list[int]:
        """Hold the first ``num`` blocks of the prefix, which are cached."""
        blocks = [self.block_of[prefix, index] for index in range(num)]
        for block in blocks:
            if self.num_holders[block] == 0:
                self.free.remove(block)
            self.num_holders[block] += 1
        return blocks

    def remember(self, prefix: int, index: int, block: int) -> bool:
        """Let the block hold this piece of the prefix. False if another one does: this one stays private."""
        owner = self.block_of.setdefault((prefix, index), block)
        if owner == block:
            self.piece_of[block] = (prefix, index)
        return owner == block

    def release(self, blocks: Sequence[int]) -> None:
        """Give blocks back, private ones first, the later tokens' first."""
        private = [block for block in reversed(blocks) if block not in self.piece_of]
        for block in private + [block for block in reversed(blocks) if block in self.piece_of]:
            self.num_holders[block] -= 1
            if self.num_holders[block] == 0:
                self.free.append(block)

    def check(self, held: Sequence[Sequence[int]]) -> None:
        """Every block is free once or held by those who say so."""
        counts = [0] * len(self.num_holders)
        for blocks in held:
            assert len(set(blocks)) == len(blocks)
            for block in blocks:
                counts[block] += 1
        assert counts == self.num_holders
        assert sorted(self.free) == [block for block, count in enumerate(counts) if count == 0]
        assert all(self.block_of[piece] == block for block, piece in self.piece_of.items())
        assert len(self.block_of) == len(self.piece_of)
