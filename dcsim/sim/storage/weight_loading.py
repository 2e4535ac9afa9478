"""Cold starts: weights of a model from a store to the accelerators of a replica."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import simpy

from dcsim.sim.storage.cache_content import Content
from dcsim.sim.storage.store import Store

WEIGHTS = "weights"


@dataclass(frozen=True, slots=True)
class WeightLoad:
    """What a replica loads: the weights of a model, over the host links of its accelerators together.

    ``num_files`` are the shards that the weights are stored in.
    """

    model: str
    num_bytes: float
    host_bytes_per_s: float
    num_files: int = 1


def load_weights(
    environment: simpy.Environment, store: Store, nodes: Sequence[int], load: WeightLoad
) -> simpy.Process:
    """Read weights to host memory, then copy them to the accelerators; ends when they are there.

    The copy is not shared with others: host links belong to a replica's own accelerators. A cache of the
    store finds what another replica of the model has read before. Alone it takes
    ``dcsim.formulas.storage.weight_load_s``.
    """
    return environment.process(_load(environment, store, nodes, load))


def _load(
    environment: simpy.Environment, store: Store, nodes: Sequence[int], load: WeightLoad
) -> Generator[simpy.Event, object, None]:
    content = Content(f"{WEIGHTS} {load.model}", load.num_bytes)
    label = f"{WEIGHTS} {load.model}"
    yield store.read(nodes, load.num_bytes, num_files=load.num_files, label=label, content=content)
    yield environment.timeout(load.num_bytes / load.host_bytes_per_s)
