"""A scenario small enough to run in every test."""

from dcsim.spec.loader import load
from dcsim.spec.scenario import Scenario

TINY = """
name: tiny
question: Does it run?
duration: 20 s
seed: 7
calibration_draws: 0
cluster: {node: dgx-h100, num_nodes: 1}
serving:
  chat:
    model: llama-3.1-8b
    engine: vllm
    num_replicas: 1
    slo: {ttft: 500 ms, tpot: 50 ms}
    traffic:
      arrivals: {policy: poisson, rate: 4 /s}
      lengths: {policy: fixed, prompt: 300, output: 40}
facility: {site: us-iowa}
economics: {prices: owned-2026}
"""


def tiny(**overrides: object) -> Scenario:
    return load(TINY, overrides={key.replace("__", "."): value for key, value in overrides.items()})


CLUSTER = """
name: cluster
question: What do a training job, failures and scheduled jobs make of a small cluster?
duration: 6 h
seed: 3
calibration_draws: 0
cluster:
  node: dgx-h100
  num_nodes: 10
  fabric: {topology: leaf_spine}
  storage:
    fast: {base: weka-8, cache: {base: nvme-gen4-7.68tb}}
training:
  pretrain:
    model: llama-3.1-8b
    software: megatron
    num_nodes: 4
    parallelism: {tensor: 4, pipeline: 1}
    batch: {sequences: 128, micro: 1, tokens: 8192}
    tokens: 1.0e+12
    checkpoint: {store: fast, interval: 30 min}
jobs:
  arrivals:
    policy: poisson
    rate: 12 /h
    duration_mean: 20 min
    sizes: [{accelerators: 1, share: 60 %}, {accelerators: 8, share: 30 %}, {accelerators: 256, share: 10 %}]
    queues: {research: 70 %, product: 30 %}
reliability:
  node_mtbf: 5 h
  node_mttr: 1 h
  spares: 1
  detection: 2 min
  diagnosis: 1 min
  swap: 1 min
  initialization: 3 min
facility: {site: us-iowa}
economics: {prices: owned-2026}
"""


def small_cluster(**overrides: object) -> Scenario:
    """Training, failures, scheduled jobs, a fabric and a store with a cache on ten nodes."""
    return load(CLUSTER, overrides={key.replace("__", "."): value for key, value in overrides.items()})
