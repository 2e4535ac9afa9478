"""Measure job scheduling: the FGD table of GPU sharing, and Philly's four weeks under every scheduler.

usage: python benchmarks/scheduling.py [fgd | philly] [--seeds 10] [--nodes 125] [--only NAME ...]

FGD table: Weng et al., "Beware of Fragmentation", USENIX ATC 2023, artifact of the paper (github.com/
hkust-adsl/kubernetes-scheduler-simulator, expected_results, mean of 10 seeds). Pods of the trace are
shuffled, then drawn again from it until they ask for 130 % of the cluster's GPUs, and placed one after
another; none ends. Nodes are shuffled with each seed, as they are there.

Philly: jobs submitted from 2 to 29 October 2017 on nodes of 8 GPUs. Figures are CPU time in this process,
reading the trace included.

DCSIM_SHARED    folder with the traces and the truth (default ../shared)
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from dcsim.plugins import policy_class, policy_names  # noqa: E402
from dcsim.policies.fragments import Fragments, typical_jobs  # noqa: E402
from dcsim.policies.nodes import Nodes, NodeShape  # noqa: E402
from dcsim.policies.placement import Placement  # noqa: E402
from dcsim.policies.request import Request  # noqa: E402
from dcsim.sim.jobs.build import job_runs, simulate_jobs  # noqa: E402
from dcsim.sim.streams import Streams  # noqa: E402
from dcsim.spec.cluster import Cluster  # noqa: E402
from dcsim.spec.jobs import Jobs  # noqa: E402
from dcsim.tables.jobs import JobStatus  # noqa: E402
from dcsim.workloads.job_traces.alibaba_openb import AlibabaOpenb  # noqa: E402
from dcsim.workloads.node_list import read_node_list  # noqa: E402

SHARED = Path(os.environ.get("DCSIM_SHARED", ROOT.parent / "shared"))
PODS = SHARED / "truth" / "fgd" / "openb_pods_default.csv.gz"
NODES = SHARED / "truth" / "fgd" / "openb_nodes.csv"
PHILLY = SHARED / "traces" / "philly" / "philly.csv.gz"
PUBLISHED_PERCENT = {
    "random": 87.47,
    "dot_product": 90.85,
    "clustering": 91.88,
    "shared_first": 92.00,
    "best_fit": 93.08,
    "fgd": 95.39,
}
DEMAND_FRAC = 1.3
FIRST_SEED = 42
PHILLY_SKIPPED_S = 2_381_359  # from the first job of the table to 2 October 2017, 00:00
SCHEDULERS = "dcsim.policies.job_schedulers"


def openb_requests() -> list[Request]:
    """What the pods of the trace ask for."""
    return [run.job.request for run in job_runs(AlibabaOpenb().read(PODS))]


def openb_shapes() -> list[NodeShape]:
    """The nodes with GPUs."""
    found = read_node_list(NODES)
    columns = (found.num_accelerators.tolist(), found.num_millicores.tolist(), found.memory_bytes.tolist())
    return [NodeShape(*row) for row in zip(*columns, found.models, strict=True)]


def allocation_percent(
    name: str, requests: Sequence[Request], shapes: Sequence[NodeShape], seed: int
) -> float:
    """GPUs given out, in percent of all, when the demand that has arrived is 130 % of them."""
    rng = np.random.default_rng(seed)
    capacity = sum(shape.num_accelerators for shape in shapes)
    order = [requests[i] for i in rng.permutation(len(requests))]
    demand = sum(request.num_accelerators for request in order)
    while True:
        drawn = requests[int(rng.integers(len(requests)))]
        if demand + min(drawn.num_accelerators, 1.0) > DEMAND_FRAC * capacity:
            break
        demand += drawn.num_accelerators
        order.append(drawn)
    nodes = Nodes([shapes[i] for i in rng.permutation(len(shapes))])
    nodes.fragments = Fragments(nodes, typical_jobs(requests, nodes.width))
    placement = policy_class("dcsim.policies.placements", name)()
    assert isinstance(placement, Placement)
    for request in order:
        parts = placement.place(nodes, request, rng)
        if parts is not None:
            nodes.take(parts)
    return 100.0 * (1.0 - nodes.num_free / capacity)


def print_fgd(num_seeds: int, only: Sequence[str]) -> None:
    """The table, with the published figures beside."""
    requests, shapes = openb_requests(), openb_shapes()
    print("| placement | published % | dcsim % | difference | CPU s per run |\n|---|---|---|---|---|")
    for name, published in PUBLISHED_PERCENT.items():
        if only and name not in only:
            continue
        cpu_s = time.process_time()
        seeds = range(FIRST_SEED, FIRST_SEED + num_seeds)
        mean = float(np.mean([allocation_percent(name, requests, shapes, seed) for seed in seeds]))
        cpu_s = (time.process_time() - cpu_s) / num_seeds
        print(
            f"| {name} | {published:.2f} | {mean:.2f} | {mean - published:+.2f} | {cpu_s:.1f} |", flush=True
        )


def print_philly(num_nodes: int, only: Sequence[str]) -> None:
    """Time and figures of every scheduler."""
    print("| scheduler | CPU s | jobs | finished | mean wait s | mean time in the system s | preemptions |")
    print("|---|---|---|---|---|---|---|")
    cluster = Cluster.model_validate({"node": "dgx-a100", "num_nodes": num_nodes})
    trace = {"path": str(PHILLY), "skip": f"{PHILLY_SKIPPED_S} s", "span": "28 d"}
    for name in policy_names(SCHEDULERS):
        if only and name not in only:
            continue
        jobs = Jobs.model_validate({"trace": trace, "scheduler": name})
        cpu_s = time.process_time()
        table = simulate_jobs(jobs, cluster, streams=Streams(1, 0)).jobs
        cpu_s = time.process_time() - cpu_s
        ended = table["status"] == int(JobStatus.FINISHED)
        jct_s = (table["finished_at_s"] - table["submitted_at_s"])[ended]
        row = (len(table), int(ended.sum()), f"{table['wait_s'][ended].mean():.0f}", f"{jct_s.mean():.0f}")
        print(f"| {name} | {cpu_s:.1f} | {' | '.join(map(str, row))} | {table['num_preemptions'].sum()} |")
        sys.stdout.flush()


def main() -> None:
    """Read the command line and print what it asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("fgd", "philly"))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--nodes", type=int, default=125)
    parser.add_argument("--only", nargs="*", default=())
    arguments = parser.parse_args()
    if arguments.what in (None, "fgd"):
        print_fgd(arguments.seeds, arguments.only)
    if arguments.what in (None, "philly"):
        print_philly(arguments.nodes, arguments.only)


if __name__ == "__main__":
    main()
