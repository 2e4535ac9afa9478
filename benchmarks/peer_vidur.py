"""Run Vidur 0.0.26 on a trace and print what it cost, as one line of JSON.

Vidur: A. Agrawal et al., "Vidur: A Large-Scale Simulation Framework For LLM Inference", MLSys 2024,
arXiv 2405.05465; MIT licence. It runs under its own interpreter (see setup_peers.sh) and imports nothing
of dcsim. At start it asks a model hub for its prediction tables; it is given the tables of a file instead.

usage: peer_vidur.py TABLES.npz TRACE.csv NUM_REPLICAS      (TRACE in Vidur's columns, see speed.py)
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable

BATCH_CAP = 128
CHUNK_TOKENS = 512
MAX_TOKENS = 4096
KV_STRIDE_TOKENS = 64

Tables = dict[str, dict[tuple[int, ...], float]]


def prediction_tables(path: str) -> Tables:
    """Milliseconds per layer, by operator and shape, as Vidur's predictor keeps them."""
    import numpy as np

    tables: Tables = {}
    with np.load(path) as arrays:
        for operator in arrays.files:
            array = arrays[operator]
            if array.ndim == 1:
                tables[operator] = {(n + 1,): float(ms) for n, ms in enumerate(array)}
        decode, prefill = arrays["attn_decode"], arrays["attn_prefill"]
    tables["attn_kv_cache_save"] = {(n + 1,): 0.0 for n in range(MAX_TOKENS)}
    tables["attn_decode"] = {
        (b + 1, k * KV_STRIDE_TOKENS): float(decode[b, k])
        for b in range(decode.shape[0])
        for k in range(decode.shape[1])
    }
    tables["attn_prefill"] = {
        (k * KV_STRIDE_TOKENS, c + 1): float(prefill[k, c])
        for k in range(prefill.shape[0])
        for c in range(prefill.shape[1])
    }
    return tables


def arguments(trace: str, num_replicas: str, output: str) -> list[str]:
    """Vidur's command line: Llama-2-70B, TP2, A100 DGX, sarathi with chunks of 512, round robin; no plots."""
    options = {
        "replica_config_model_name": "meta-llama/Llama-2-70b-hf",
        "replica_config_tensor_parallel_size": 2,
        "replica_config_num_pipeline_stages": 1,
        "replica_config_device": "a100",
        "replica_config_network_device": "a100_dgx",
        "cluster_config_num_replicas": num_replicas,
        "cache_config_block_size": 16,
        "cache_config_num_blocks": 3328,
        "cache_config_watermark_blocks_fraction": 0.01,
        "global_scheduler_config_type": "round_robin",
        "replica_scheduler_config_type": "sarathi",
        "sarathi_scheduler_config_batch_size_cap": BATCH_CAP,
        "sarathi_scheduler_config_chunk_size": CHUNK_TOKENS,
        "request_generator_config_type": "trace_replay",
        "trace_request_generator_config_trace_file": trace,
        "trace_request_generator_config_date": "all",
        "trace_request_generator_config_max_tokens": MAX_TOKENS,
        "trace_request_generator_config_time_scale_factor": 1,
        "trace_request_generator_config_prefill_scale_factor": 1,
        "trace_request_generator_config_decode_scale_factor": 1,
        "metrics_config_output_dir": output,
        "log_level": "error",
    }
    switches = (
        "--no-cache_config_enable_prefix_caching",
        "--no-metrics_config_store_plots",
        "--no-metrics_config_enable_chrome_trace",
        "--no-metrics_config_write_json_trace",
    )
    return [text for key, value in options.items() for text in (f"--{key}", str(value))] + list(switches)


def timed(run: Callable[[], None]) -> tuple[float, float]:
    """CPU and wall seconds that a call took."""
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    run()
    return time.process_time() - cpu_s, time.perf_counter() - wall_s


def main() -> None:
    """Simulate, then print requests, CPU and wall seconds, memory and mean latencies."""
    tables_path, trace, num_replicas = sys.argv[1:4]
    os.environ["WANDB_MODE"] = "disabled"
    from vidur.config import SimulationConfig
    from vidur.execution_time_predictor.sklearn_execution_time_predictor import SklearnExecutionTimePredictor
    from vidur.simulator import Simulator
    from vidur.utils.random import set_seeds

    tables = prediction_tables(tables_path)
    SklearnExecutionTimePredictor._load_predictions_from_hf = lambda self: tables
    with tempfile.TemporaryDirectory() as output:
        sys.argv = [sys.argv[0], *arguments(trace, num_replicas, output)]
        config = SimulationConfig.create_from_cli_args()
        set_seeds(config.seed)
        simulator = Simulator(config)
        simulator._write_output = lambda: None
        cpu_s, wall_s = timed(simulator.run)
    with open(trace, encoding="utf-8") as lines:
        num_requests = sum(1 for _ in lines) - 1
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    total_cpu_s = time.process_time()
    found = {"num_requests": num_requests, "cpu_s": cpu_s, "wall_s": wall_s, "peak_bytes": peak_bytes}
    print(json.dumps({**found, "process_cpu_s": total_cpu_s, "requests_per_cpu_s": num_requests / cpu_s}))


if __name__ == "__main__":
    main()
