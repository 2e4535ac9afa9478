"""The contract of ``series.json``: every key, its unit and meaning. The reference is generated from here.

A key in capitals stands for a name of the scenario; ``{a,b}`` stands for either. The lists of one level are
equally long, but for ``edges``, of which there is one more than ``counts``. What cannot be told is null.
"""

from __future__ import annotations

from dcsim.metrics.key import Key, Sections
from dcsim.metrics.series.contract_cluster import CLUSTER_SECTIONS

_LATENCY = "latency.{ttft_s,tpot_s,e2e_s,queue_wait_s}"
_WORST = "worst.{e2e_s,ttft_s}"

_RUN = {
    "schema": Key("", "version of this contract: dcsim/series/1"),
    "num_replications": Key("", "independent repeats of the run"),
    "probabilities": Key("", "list: the probabilities that every list of quantiles is for, 0 to 1"),
}
_DISTRIBUTIONS = {
    f"{_LATENCY}.quantiles": Key(
        "s",
        "list: quantiles over the requests served, as the summary's percentiles: null where one falls among "
        "those that never got so far",
    ),
    f"{_LATENCY}.num_beyond": Key("", "requests served that never got so far: slower than all others"),
    f"{_LATENCY}.histogram.edges": Key(
        "s",
        "list: logarithmic, from the 0.01st percentile to the maximum of the requests that got so far",
    ),
    f"{_LATENCY}.histogram.counts": Key(
        "", "list: requests from each edge to the next; the first holds those before it too, but for zeros"
    ),
    f"{_LATENCY}.histogram.num_zero": Key("", "requests with none, or less than a microsecond"),
    "latency.itl_s.quantiles": Key("s", "list: quantiles over all tokens of the first replication's window"),
    "lengths.{num_prompt_tokens,num_output_tokens}.edges": Key(
        "tokens", "list: logarithmic and whole, from the least to beyond the largest"
    ),
    "lengths.{num_prompt_tokens,num_output_tokens}.counts": Key(
        "", "list: requests from each edge up to, not including, the next"
    ),
}
_WORST_REQUESTS = {
    f"{_WORST}.replication": Key("", "list: number of the replication, from 0"),
    f"{_WORST}.request": Key("", "list: row of the request in the replication's table requests"),
    f"{_WORST}.replica": Key("", "list: replica that served it"),
    f"{_WORST}.arrived_at_s": Key("s", "list: arrival"),
    f"{_WORST}.{{num_prompt_tokens,num_output_tokens}}": Key("tokens", "list: its lengths"),
    f"{_WORST}.num_cached_tokens": Key("tokens", "list: prompt tokens found in the prefix cache"),
    f"{_WORST}.num_preemptions": Key("", "list: times it was preempted"),
    f"{_WORST}.{{ttft_s,tpot_s,e2e_s,queue_wait_s}}": Key("s", "list: its latencies"),
}
_BINS = {
    "started_at_s": Key("s", "list: start of each bin; the first may lie a little before 0"),
    "bin_s": Key("s", "length of a bin; the window of the cluster's energy is whole bins"),
}
_TIMELINE = {
    **_BINS,
    "offered_requests_per_s": Key("1/s", "list: requests that arrived in the bin"),
    "finished_requests_per_s": Key("1/s", "list: requests that finished in it"),
    "output_tokens_per_s": Key("1/s", "list: tokens generated"),
    "computed_prompt_tokens_per_s": Key(
        "1/s", "list: prompt tokens computed: without cached, with recomputed ones"
    ),
    "num_running": Key("", "list: sequences in the batches of all engines, mean over time"),
    "num_waiting": Key(
        "",
        "list: requests waiting for their first step, all engines together, mean over time; waits after a "
        "preemption are left out",
    ),
    "kv_occupancy_frac": Key("fraction", "list: KV blocks held / KV blocks, mean over time"),
    "utilization_frac": Key("fraction", "list: busy time / time, mean over engines"),
    "accelerator_w": Key("W", "list: mean power of one of the workload's own accelerators, hosts left out"),
    "ttft_s.{p50,p99}": Key(
        "s", "list: percentiles over the requests that arrived in the bin; null if fewer than 20 did"
    ),
}
_REPLICAS = {
    "replica": Key("", "list: number of the replica; the first 64 have an entry"),
    "role": Key("", "list: decode or prefill with disaggregated prefill, else both"),
    "num_finished": Key(
        "", "list: requests that finished in the window, prefill replicas' with their first token"
    ),
    "num_output_tokens": Key("tokens", "list: tokens generated in it"),
    "utilization_frac": Key("fraction", "list: busy time / time, mean over the replica's engines"),
    "rest.num_replicas": Key("", "replicas beyond those"),
    "rest.num_finished": Key("", "requests that finished on them in the window"),
    "rest.num_output_tokens": Key("tokens", "tokens that they generated in it"),
    "rest.utilization_frac": Key("fraction", "busy time / time, mean over them; null if there are none"),
}
_POWER = {
    **_BINS,
    "it_w": Key("W", "list: mean power of all nodes at the wall"),
    "output_tokens_per_s": Key("1/s", "list: tokens generated, all workloads together"),
}

SECTIONS: Sections = {
    "run": ("", _RUN),
    "distributions over the measured requests of all replications": ("serving.NAME.", _DISTRIBUTIONS),
    "the 20 worst of the measured requests that finished, by E2E and by TTFT, the worst first": (
        "serving.NAME.",
        _WORST_REQUESTS,
    ),
    "the whole run over time, warm-up and drain included: first replication": (
        "serving.NAME.timeline.",
        _TIMELINE,
    ),
    "replicas in the measured window: first replication": ("serving.NAME.replicas.", _REPLICAS),
    "the measured window: first replication": (
        "serving.NAME.window.",
        {"{started_at_s,ended_at_s}": Key("s", "from the warm-up to the end of the traffic")},
    ),
    **CLUSTER_SECTIONS,
    "power of the cluster in the same bins: first replication": ("power.", _POWER),
}
