"""What a job asks of the nodes, and how it is cut into parts that stand on one node each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

SHARES_PER_ACCELERATOR = 1000  # accelerators are given out in thousandths, so that sums are exact
MILLICORES_PER_CORE = 1000
_SLACK_DIGITS = 6  # 0.29 * 1000 is a little more than 290 in floating point


class Chunk(NamedTuple):
    """What one node gives to a job."""

    num_whole: int  # whole accelerators
    num_shares: int  # thousandths of one more accelerator; 0 if there are whole ones
    num_millicores: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Request:
    """What a job asks for, all of it at once (a gang): whole accelerators, or a fraction of one, or none."""

    num_accelerators: float
    cores: float = 0.0  # host processor cores of the whole job
    memory_bytes: float = 0.0  # host memory of the whole job
    models: tuple[str, ...] = ()  # accelerator models it accepts; any if empty

    def chunk(self, num_accelerators: float) -> Chunk:
        """The part that holds so many of its accelerators, with as large a share of its cores and memory."""
        share_frac = num_accelerators / self.num_accelerators if self.num_accelerators else 1.0
        shares = _whole(num_accelerators * SHARES_PER_ACCELERATOR)
        num_whole, num_shares = divmod(shares, SHARES_PER_ACCELERATOR)
        return Chunk(
            num_whole,
            num_shares,
            _whole(self.cores * MILLICORES_PER_CORE * share_frac),
            _whole(self.memory_bytes * share_frac),
        )

    def chunks(self, width: int) -> tuple[tuple[Chunk, int], ...]:
        """Equal parts with their number: one node if it fits into ``width``, else full nodes and the rest.

        >>> [(chunk.num_whole, count) for chunk, count in Request(20).chunks(8)]
        [(8, 2), (4, 1)]
        """
        return _chunks(self, width)


class Part(NamedTuple):
    """What one node gives to one job: which of its accelerators, and how much of each."""

    node: int
    accelerators: tuple[int, ...]
    num_shares: int  # of each accelerator; SHARES_PER_ACCELERATOR if they are whole
    num_millicores: int
    memory_bytes: int


def num_accelerators(parts: tuple[Part, ...]) -> float:
    """Accelerators in the parts together, fractions included."""
    shares = sum(len(part.accelerators) * part.num_shares for part in parts)
    return shares / SHARES_PER_ACCELERATOR


@lru_cache(maxsize=1 << 16)
def _chunks(request: Request, width: int) -> tuple[tuple[Chunk, int], ...]:
    if request.num_accelerators <= width:
        return ((request.chunk(request.num_accelerators), 1),)
    num_full, rest = divmod(int(request.num_accelerators), width)
    full = ((request.chunk(width), num_full),)
    return (*full, (request.chunk(rest), 1)) if rest else full


def _whole(number: float) -> int:
    return math.ceil(round(number, _SLACK_DIGITS))
