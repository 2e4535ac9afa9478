"""The contract of ``summary.json``: every key, its unit and meaning. The reference is generated from here.

A key in capitals stands for a name of the scenario; ``{a,b}`` stands for either. A number that cannot be
told (no request got that far, no price, no site) is null, and its key is there all the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from dcsim.metrics.contract_cluster import CLUSTER_SECTIONS
from dcsim.metrics.key import Key, Sections

_SPREAD = "{mean,p50,p90,p95,p99,max}"
_LATENCY = "{ttft_s,tpot_s,itl_s,e2e_s,queue_wait_s}"
_PARTS = "{compute_s,memory_s,launch_s,network_s,host_s}"

_RUN = {
    "schema": Key("", "version of this contract: dcsim/summary/1"),
    "name": Key("", "name of the scenario"),
    "question": Key("", "the question that it asks"),
    "num_replications": Key("", "independent repeats that the numbers are means of"),
    "interval_method": Key(
        "",
        "replications (Student's t over them), batch_means (one replication, its window cut into twenty) "
        "or none (one replication, too few requests)",
    ),
    "confidence_frac": Key("fraction", "confidence of the intervals"),
}
_LATENCIES = {
    f"ttft_s.{_SPREAD}": Key("s", "time to first token, from arrival: queue and front end included"),
    f"tpot_s.{_SPREAD}": Key(
        "s", "time per output token after the first: (finish - first token) / (output tokens - 1), by request"
    ),
    f"itl_s.{_SPREAD}": Key("s", "gap between successive tokens, over all tokens rather than requests"),
    f"e2e_s.{_SPREAD}": Key("s", "end-to-end latency: finish - arrival"),
    f"queue_wait_s.{_SPREAD}": Key("s", "from the scheduler's queue to the first step that worked on it"),
    f"observed.{_LATENCY}.{_SPREAD}": Key(
        "s", "unstable runs only: the latencies seen, which depend on how long the run was; above is null"
    ),
    "note": Key("", "unstable runs only: why the latencies are withheld"),
}
_RATES = {
    "requests_per_s": Key("1/s", "requests that finished in the window"),
    "offered_requests_per_s": Key("1/s", "requests that arrived in the window"),
    "goodput_requests_per_s": Key("1/s", "requests that arrived in it and met every limit of the SLO"),
    "slo_attainment_frac": Key(
        "fraction", "of the requests offered, those within every limit: lost ones are misses"
    ),
    "is_slo_met": Key(
        "", "whether that is the share asked for; null without limits, or if replications disagree"
    ),
    "slo_met_probability": Key(
        "",
        "P(the SLO is met), 0 to 1: over draws of the calibration, each with the error of the replications; "
        "null without limits, absent without draws",
    ),
    "num_requests": Key("", "requests that arrived in the window"),
    "num_finished": Key("", "of them, finished"),
    "num_rejected": Key("", "of them, turned away: queue full, or too long for max_model_len or the cache"),
    "num_timed_out": Key("", "of them, given up by their client"),
    "num_unfinished": Key("", "of them, not finished when the simulation ended"),
    "num_preemptions": Key("", "times that one of them lost its KV blocks"),
    "prompt_tokens_per_s": Key("1/s", "prompt tokens of requests whose first token came in the window"),
    "cached_prompt_tokens_frac": Key(
        "fraction",
        "of the prompt tokens of requests first scheduled in the window, those in the prefix cache",
    ),
    "output_tokens_per_s": Key("1/s", "tokens generated in the window"),
    "computed_prompt_tokens_per_s": Key(
        "1/s", "prompt tokens computed: without cached, with recomputed ones"
    ),
    "steps_per_s": Key("1/s", "engine steps, all engines together"),
}
_USE = {
    "utilization_frac": Key("fraction", "busy time / time, mean over engines"),
    "mfu_frac": Key("fraction", "operations of the model / peak of the datatype, idle time included"),
    "memory_bandwidth_frac": Key("fraction", "bytes moved / peak bandwidth, idle time included"),
    "accelerator_power_w": Key("W", "mean power of one of the workload's own accelerators, hosts left out"),
    "accelerator_j_per_output_token": Key("J", "energy of the workload's own accelerators / output tokens"),
    "kv_occupancy_frac": Key("fraction", "KV blocks held / KV blocks, mean over time"),
    "batch_size.mean": Key("", "sequences in a step, mean over steps"),
    "num_waiting.mean": Key(
        "",
        "requests waiting for their first step, all engines together, mean over the window; "
        "waits after a preemption are left out",
    ),
    "num_replicas": Key("", "copies of the model, those for prefill included"),
    "num_accelerators": Key("", "accelerators that they take"),
    "kv_tokens_per_replica": Key("tokens", "capacity of a replica's KV cache; of one that decodes"),
    "window.{started_at_s,ended_at_s}": Key(
        "s", "the measured window: from the warm-up to the end of the traffic"
    ),
    "stability.verdict": Key(
        "", "stable, saturated (sheds load) or unstable (the queue and the time in it grow)"
    ),
    "stability.reason": Key("", "why"),
}
_POOLS = {
    f"pools.{{decode,prefill}}.{name}": Key(key.unit, f"the same of one pool: {key.meaning}")
    for name, key in {
        **{name: _RATES[name] for name in _RATES if name.endswith(("_tokens_per_s", "steps_per_s"))},
        **_USE,
    }.items()
    if not name.startswith(("num_waiting", "window", "stability", "prompt_tokens", "accelerator_j"))
}
_KV_TRANSFER = {
    "num_transfers": Key("", "KV caches sent, of requests that arrived in the window"),
    "transfer_bytes.mean": Key("B", "keys and values of one prompt, all copies that are kept"),
    "bytes_per_s": Key("B/s", "bytes of these transfers / window"),
    f"wait_s.{_SPREAD}": Key("s", "from the first token until the decoding replica has room"),
    f"time_s.{_SPREAD}": Key("s", "from then until the KV cache is there"),
    "num_waiting.mean": Key("", "requests waiting for room to decode, mean over the window"),
}
_GROUP = "explain.{mean,p99_ttft,p99_e2e}"
_EXPLAIN = {
    f"{_GROUP}.num_requests": Key(
        "", "requests explained: all finished ones; those about the p99 of TTFT; those about the p99 of E2E"
    ),
    f"{_GROUP}.{{total_s,ttft_s}}": Key("s", "their mean E2E, which the parts below add up to, and TTFT"),
    f"{_GROUP}.front_end_s": Key("s", "HTTP and tokeniser, before the queue"),
    f"{_GROUP}.queue_wait_s": Key("s", "in the queue"),
    f"{_GROUP}.preemption_s": Key("s", "from the loss of the KV blocks to the next token"),
    f"{_GROUP}.kv_transfer_s": Key(
        "s", "from the first token until it joins the batch that decodes; absent without prefill replicas"
    ),
    f"{_GROUP}.prefill.{_PARTS}": Key("s", "steps up to the first token, by what bound them"),
    f"{_GROUP}.decode.{_PARTS}": Key("s", "steps after it, as they would be without prompt chunks in them"),
    f"{_GROUP}.decode.interference_s": Key("s", "what other requests' prompts cost the decodes"),
    f"{_GROUP}.unattributed_s": Key("s", "the rest: rounding"),
}
_ENERGY = {
    "duration_s": Key("s", "length of the window that energy, carbon and cost are of"),
    "it_j": Key("J", "drawn by all nodes at the wall: accelerators, hosts, fans, conversion"),
    "idle_j": Key("J", "what they would have drawn without work"),
    "accelerator_j": Key("J", "of the energy, the accelerators'"),
    "facility_j": Key("J", "IT energy x PUE"),
    "pue": Key("", "power usage effectiveness: of the scenario, else the site's yearly mean"),
    "mean_it_w": Key("W", "mean power of all nodes"),
    "mean_facility_w": Key("W", "the same at the meter"),
    "mean_accelerator_w": Key("W", "mean power of one accelerator, allocated or not"),
    "{it_j,accelerator_j,facility_j}_per_output_token": Key(
        "J", "energy of the whole cluster / output tokens of all workloads in the window"
    ),
    "timeline.bin_s": Key("s", "length of a bin of the timeline, which is that of the first replication"),
    "timeline.started_at_s": Key("s", "list: start of each bin"),
    "timeline.it_w": Key("W", "list: mean power of all nodes in each bin"),
    "timeline.output_tokens_per_s": Key("1/s", "list: tokens generated in each bin"),
}
_CARBON = {
    "operational_kg": Key("kg CO2e", "facility energy x the site's yearly mean intensity (location-based)"),
    "embodied_kg": Key("kg CO2e", "the nodes' own, by their lifetime; null without an owned price book"),
    "total_kg": Key("kg CO2e", "both"),
    "kg_per_million_output_tokens": Key("kg CO2e", "total per million output tokens"),
}
_COST = {
    "kind": Key("", "owned or on_demand"),
    "total_usd": Key("USD", "of the window, all nodes, busy or not: the parts below"),
    "{capital_usd,maintenance_usd,colocation_usd}": Key("USD", "owned machines only"),
    "rental_usd": Key("USD", "rented machines only"),
    "electricity_usd": Key("USD", "facility energy x the site's price; null for rented machines or no site"),
    "usd_per_s": Key("USD/s", "total per second"),
    "usd_per_yr": Key("USD/yr", "total per year"),
    "usd_per_accelerator_hour": Key("USD/h", "total per accelerator and hour"),
    "usd_per_million_output_tokens": Key(
        "USD", "total of the whole cluster, other work included, per million output tokens of all workloads"
    ),
    "usd_per_million_total_tokens": Key("USD", "total per million prompt and output tokens"),
    "by_phase_time.{usd_per_million_prompt_tokens,usd_per_million_output_tokens}": Key(
        "USD", "total shared out by the accelerator time of prefill and decode, per million of either token"
    ),
}
_PREDICTION = {
    "confidence_frac": Key("fraction", "confidence of the prediction intervals"),
    "num_draws": Key(
        "", "draws of the calibration: each run on a short pilot of serving, steps of training timed anew"
    ),
    "assumptions": Key(
        "",
        "list: spreads assumed where no uncertainty is stated: parameter, log_sd (standard deviation of its "
        "logarithm), why",
    ),
    "notes": Key("", "list: why an interval may be too narrow, and what has none"),
}
_PROVENANCE = {
    "entries": Key(
        "", "list: catalogue entries used: kind, name, title, source, is_varied, num_values, num_estimates"
    ),
    "estimates": Key("", "list: values that are estimates: entry, path, value, why"),
    "notes": Key("", "list: warnings, such as a profile used beyond the range that it was fitted on"),
}

# what stands beside the numbers: under one of these keys and then the number's own path
BESIDE: Mapping[str, str] = {
    "intervals": "half-width of its 95 % interval over replications",
    "prediction": "[low, high]: the 95 % interval that also holds what is not known of the calibration; "
    "null is an end without bound",
    "by_replication": "list: its value in each of several replications, null where there is none or it is "
    "withheld; not of equal replications, explain or window",
}

SECTIONS: Sections = {
    "run": ("", _RUN),
    "latency": ("serving.NAME.", _LATENCIES),
    "requests and tokens": ("serving.NAME.", _RATES),
    "use of the machines": ("serving.NAME.", _USE),
    "pools (absent without prefill replicas)": ("serving.NAME.", _POOLS),
    "KV transfers (absent without prefill replicas)": ("serving.NAME.kv_transfer.", _KV_TRANSFER),
    "where the time goes": ("serving.NAME.", _EXPLAIN),
    **CLUSTER_SECTIONS,
    "energy": ("energy.", _ENERGY),
    "carbon (null without a facility)": ("carbon.", _CARBON),
    "cost (null without economics)": ("cost.", _COST),
    "prediction (absent without draws)": ("prediction.", _PREDICTION),
    "provenance": ("provenance.", _PROVENANCE),
}


def declared_keys(sections: Sections = SECTIONS) -> Iterator[tuple[str, Key]]:
    """Every dotted path and its key, those of the summary if no others are given.

    What stands ``BESIDE`` the numbers has their paths and is left out.
    """
    for prefix, keys in sections.values():
        for pattern, key in keys.items():
            for path in _expanded(prefix + pattern):
                yield path, key


def _expanded(pattern: str) -> Iterator[str]:
    """The paths that a pattern stands for.

    >>> list(_expanded("a.{b,c}"))
    ['a.b', 'a.c']
    """
    found = re.search(r"\{([^}]*)\}", pattern)
    if found is None:
        yield pattern
        return
    for choice in found.group(1).split(","):
        yield from _expanded(pattern[: found.start()] + choice + pattern[found.end() :])
