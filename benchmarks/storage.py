"""How long the simulation of stores takes: python -m benchmarks.storage

Processor seconds for the checkpoints of 54 days of a 16,384-accelerator job, one every ten minutes on 2,048
nodes, and for a thousand different transfers at once.
"""

from __future__ import annotations

import time
from collections.abc import Generator

import simpy

from dcsim.sim.storage.storage_log import StorageLog
from dcsim.sim.storage.store import Store
from dcsim.spec.storage import StoreSpec, resolve_store

NUM_NODES, NUM_CHECKPOINTS, INTERVAL_S, CHECKPOINT_BYTES = 2048, 54 * 24 * 6, 600.0, 5.7e12
NUM_TRANSFERS, TRANSFER_BYTES = 1000, 140e9


def new_store(environment: simpy.Environment, base: str) -> Store:
    deployment = resolve_store(StoreSpec.model_validate(base), "store")
    return Store(environment, deployment, StorageLog(), num_nodes=NUM_NODES)


def checkpoints_s(base: str) -> float:
    """Processor time of a long run with many checkpoints."""
    environment = simpy.Environment()
    store = new_store(environment, base)

    def save() -> Generator[simpy.Event, object, None]:
        for _ in range(NUM_CHECKPOINTS):
            yield environment.timeout(INTERVAL_S)
            yield store.write(range(NUM_NODES), CHECKPOINT_BYTES, num_files=8 * NUM_NODES)

    started_s = time.process_time()
    environment.run(until=environment.process(save()))
    return time.process_time() - started_s


def crowd_s(base: str) -> float:
    """Processor time of transfers that all begin at once and end one after another."""
    environment = simpy.Environment()
    store = new_store(environment, base)
    started_s = time.process_time()
    for number in range(NUM_TRANSFERS):
        store.read([number], TRANSFER_BYTES * (1.0 + number / NUM_TRANSFERS))
    environment.run()
    return time.process_time() - started_s


def main() -> None:
    for base in ("tectonic-llama3", "nvme-gen4-7.68tb"):
        print(f"{NUM_CHECKPOINTS} checkpoints on {base}: {checkpoints_s(base):.2f} s")
    print(f"{NUM_TRANSFERS} transfers at once on lustre-flash: {crowd_s('lustre-flash'):.2f} s")


if __name__ == "__main__":
    main()
