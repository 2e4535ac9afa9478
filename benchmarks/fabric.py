"""Speed and accuracy of the fabric, with SimGrid beside it where it is installed.

usage: python benchmarks/fabric.py [--flows 1000 10000] [--exact-only-below 20000] [--record FILE]

The network is a fat tree of 1,024 hosts (16 at a leaf, 8 leaves and 8 spines in a pod, 8 cores a spine), full
bisection, links of 50 GB/s, latency 0, static D-mod-k; flows between random pairs start together, with 64 MB
to 1 GB each. Every figure is CPU time of one core.

DCSIM_SIMGRID_PYTHON    interpreter that imports simgrid (see peer_simgrid.py); else only dcsim is measured
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from pathlib import Path

import numpy as np
import simpy

from dcsim.networks.flow import Flow, ring_flows
from dcsim.networks.graph import Hosts
from dcsim.networks.network import Network
from dcsim.networks.routes import Routes
from dcsim.policies.routings.static import Static
from dcsim.sim.fabric.fabric import Fabric
from dcsim.topologies.fat_tree import FatTree
from dcsim.topologies.leaf_spine import LeafSpine

NUM_HOSTS = 1024
RATE = 50e9
SIMGRID_PYTHON = os.environ.get("DCSIM_SIMGRID_PYTHON", "")
PEER = Path(__file__).resolve().parent / "peer_simgrid.py"


def fat_tree(oversubscription: float = 1.0) -> Network:
    tree = FatTree(
        hosts_per_leaf=16,
        leaves_per_pod=8,
        spines_per_pod=8,
        cores_per_spine=8,
        oversubscription=oversubscription,
    )
    return tree.network(Hosts(NUM_HOSTS, 1, RATE, 0.0, RATE, 0.0))


def random_flows(num_flows: int, seed: int = 1) -> list[Flow]:
    rng = np.random.default_rng(seed)
    sources = rng.integers(NUM_HOSTS, size=num_flows)
    destinations = (sources + 1 + rng.integers(NUM_HOSTS - 1, size=num_flows)) % NUM_HOSTS
    sizes = rng.integers(64_000_000, 1_000_000_000, size=num_flows)
    return [Flow(int(s), int(d), float(b)) for s, d, b in zip(sources, destinations, sizes, strict=True)]


def completion_times(
    network: Network, flows: list[Flow], batching_frac: float = 0.0
) -> tuple[np.ndarray, float, int]:
    """When each flow ends, the CPU seconds that took, and the solutions it needed."""
    environment = simpy.Environment()
    started = time.process_time()
    fabric = Fabric(environment, network, routing=Static(), batching_frac=batching_frac)
    for flow in flows:
        fabric.transfer([flow], "flow")
    environment.run()
    cpu_s = time.process_time() - started
    ended = fabric.tables()["transfers"]["finished_at_s"].astype(float)
    return ended, cpu_s, fabric.num_solutions


def case_of(network: Network, flows: list[Flow]) -> dict[str, object]:
    """The case as the peer reads it: links by number, in every flow."""
    routes = Routes(network, Static()).of(flows)
    rows = [
        {
            "source": flow.source,
            "destination": flow.destination,
            "num_bytes": int(flow.num_bytes),
            "links": route.links.tolist(),
        }
        for flow, route in zip(flows, routes, strict=True)
    ]
    return {"bytes_per_s": network.bytes_per_s.tolist(), "flows": rows}


def simgrid(network: Network, flows: list[Flow]) -> tuple[np.ndarray, float] | None:
    if not SIMGRID_PYTHON:
        return None
    text = json.dumps(case_of(network, flows))
    command = [SIMGRID_PYTHON, str(PEER)]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.strip().splitlines()[-1])
    return np.array(found["finished_at_s"]), float(found["cpu_s"])


def compare(num_flows: int, oversubscription: float) -> None:
    network, flows = fat_tree(oversubscription), random_flows(num_flows)
    exact, cpu_s, solutions = completion_times(network, flows)
    name = f"{num_flows} random flows, {oversubscription:g}:1"
    print(f"{name}: exact {cpu_s:.2f} s, {solutions} solutions, last {exact.max():.4f} s", flush=True)
    batched, cpu_s, solutions = completion_times(network, flows, 0.01)
    error = np.abs(batched / exact - 1)
    print(f"{name}: 1 % batching {cpu_s:.2f} s, {solutions} solutions,", end=" ")
    print(f"error of a completion {error.max():.2%} at most, {error.mean():.2%} mean", flush=True)
    peer = simgrid(network, flows)
    if peer:
        difference = np.abs(peer[0] / exact - 1).max()
        print(f"{name}: SimGrid {peer[1]:.2f} s, largest difference {difference:.1e}", flush=True)


def collective_step() -> None:
    network = fat_tree()
    flows = [Flow(flow.source, flow.destination, 1e9) for flow in random_flows(10_000)]
    environment = simpy.Environment()
    fabric = Fabric(environment, network, routing=Static())
    turns = {"new routes": flows, "other": flows[:-1], "known routes": flows, "repeated": flows}
    for turn, sent in turns.items():
        done = fabric.transfer(sent, "step")
        started, before = time.process_time(), fabric.num_solutions
        while fabric.num_solutions == before:
            environment.step()  # ways and shares of all flows: when each ends is known
        solved = time.process_time() - started
        environment.run(until=done)
        total, solutions = time.process_time() - started, fabric.num_solutions - before
        print(f"{len(sent)} equal flows, {turn}: solved {solved:.3f} s, to the end {total:.3f} s,", end=" ")
        print(f"{solutions} solution", flush=True)


def big_job() -> None:
    network = LeafSpine().network(Hosts(2048, 8, RATE, 5e-6, 8 * 450e9, 1e-6))
    environment = simpy.Environment()
    fabric = Fabric(environment, network)
    for turn in ("first", "second"):
        started = time.process_time()
        job = fabric.occupy(ring_flows(range(2048), 1e9), "job")
        environment.run(until=environment.now + 1)
        print(f"2048 nodes occupy the fabric, {turn} time: {time.process_time() - started:.4f} s", flush=True)
        fabric.release(job)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--flows", type=int, nargs="*", default=[1000, 10_000])
    parser.add_argument("--record", type=Path, help="write SimGrid's completion times of 200 flows to a file")
    options = parser.parse_args()
    if options.record:
        network, flows = fat_tree(2.0), random_flows(200)
        peer = simgrid(network, flows)
        assert peer is not None, "set DCSIM_SIMGRID_PYTHON"
        options.record.write_text(json.dumps([float(f"{t:.15g}") for t in peer[0]]) + "\n", encoding="utf-8")
        return
    collective_step()
    big_job()
    for num_flows in options.flows:
        for oversubscription in (1.0, 2.0) if num_flows <= 1000 else (1.0,):
            compare(num_flows, oversubscription)


if __name__ == "__main__":
    main()
