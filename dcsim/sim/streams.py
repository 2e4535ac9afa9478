"""Named random streams: one independent generator for each source of randomness.

The generator of stream ``name`` in replication ``r`` of seed ``s`` is PCG64, seeded with
``numpy.random.SeedSequence(entropy=s, spawn_key=(r, h0, h1, h2, h3))``, where ``h0..h3`` are the first 16
bytes of SHA-256 of the UTF-8 name, as little-endian 32-bit words. Python's own ``hash`` is salted in each
process and therefore not used. The numbers depend on nothing else: not on the order in which streams are
asked for, the other streams, the process or the platform. Sweeps thus share random numbers: changing the
hardware leaves the arrivals as they were.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np

_NUM_HASH_WORDS = 4


@dataclass(frozen=True, slots=True)
class Streams:
    """The random streams of one replication, by name. Asking twice gives the same, advancing generator."""

    seed: int
    replication: int
    _generators: dict[str, np.random.Generator] = field(default_factory=dict, repr=False, compare=False)

    def __getitem__(self, name: str) -> np.random.Generator:
        if name not in self._generators:
            spawn_key = (self.replication, *_words(name))
            sequence = np.random.SeedSequence(entropy=self.seed, spawn_key=spawn_key)
            self._generators[name] = np.random.Generator(np.random.PCG64(sequence))
        return self._generators[name]


def _words(name: str) -> tuple[int, ...]:
    digest = hashlib.sha256(name.encode()).digest()
    return tuple(int.from_bytes(digest[4 * i : 4 * i + 4], "little") for i in range(_NUM_HASH_WORDS))
