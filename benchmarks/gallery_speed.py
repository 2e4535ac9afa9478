"""CPU time of one replication of the gallery's scenarios, simulation alone.

usage: python -m benchmarks.gallery_speed [NAME ...]
"""

from __future__ import annotations

import sys
import time

from dcsim.sim.simulation import simulate
from dcsim.study.gallery import gallery, load_scenario


def main(names: list[str]) -> None:
    """Print a table of the scenarios named; of all, if none is."""
    print("| scenario | CPU s | rows of tables |\n|---|---|---|")
    for name in names or list(gallery()):
        scenario = load_scenario(name, overrides={})
        started_s = time.process_time()
        tables = simulate(scenario, 0)
        taken_s = time.process_time() - started_s
        num_rows = sum(len(one) for one in tables.cluster.values())
        num_rows += sum(len(one.requests) + len(one.steps) for one in tables.serving.values())
        print(f"| {name} | {taken_s:.1f} | {num_rows:,} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
