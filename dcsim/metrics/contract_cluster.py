"""The contract of ``summary.json`` for what the cluster does beside serving; see ``contract``.

JOB, STORE, CAUSE, ... stand for names of the scenario or for one of the names given.
"""

from __future__ import annotations

from dcsim.metrics.key import Key, Sections

_SPREAD = "{mean,p50,p90,p99,max}"

_TRAINING = {
    "step_time_s": Key("s", "mean time of an optimiser step that counts, checkpoints left out"),
    "undisturbed_step_time_s": Key("s", "a step without failures, full links and slow nodes"),
    "mfu_frac": Key("fraction", "model operations / dense peak during the steps that count"),
    "hfu_frac": Key("fraction", "the same with operations done again by recomputation"),
    "num_steps": Key("steps", "steps that count, in the window"),
    "tokens_per_s": Key(
        "1/s", "tokens of those steps / time from submission to the end, of all trials of a sweep together"
    ),
    "time_per_million_tokens_s": Key("s", "the same time per million tokens of those steps"),
    "wall_s": Key("s", "time from submission to the end, within the window; of all trials of a sweep"),
    "productive_frac": Key("fraction", "goodput: time in steps that count / wall time"),
    "effective_training_frac": Key("fraction", "what those steps take undisturbed / wall time"),
    "productive_s": Key("s", "what the steps that count take undisturbed; with lost_s the wall time"),
    "lost_s.queue": Key("s", "before its first start: waiting for nodes"),
    "lost_s.{detect,diagnose}": Key("s", "until a failure was noticed; until its cause was found"),
    "lost_s.{wait,swap}": Key("s", "waiting for a node; putting a spare in its place"),
    "lost_s.{staging,reshuffle}": Key(
        "s", "copying the data set to its store before training; writing it anew between epochs"
    ),
    "lost_s.{initialize,restore,warmup}": Key("s", "starting processes; reading the checkpoint; warming up"),
    "lost_s.{shrink,contention,input,slow}": Key(
        "s",
        "what steps took longer: with fewer replicas, by full or failed links, waiting for input data, "
        "by slow nodes",
    ),
    "lost_s.checkpoint": Key("s", "checkpoints held the steps up"),
    "lost_s.lost_work": Key("s", "steps that a failure undid"),
    "lost_accelerator_h.CAUSE": Key("h", "accelerator-hours of lost work and recovery, by cause of failure"),
    "completion_s": Key("s", "from submission to the last step saved; null if it did not finish"),
    "is_finished": Key("", "whether it did"),
    "is_stalled": Key("", "whether it was no further at the end than at its start"),
    "{num_failures,num_planned_stops}": Key("", "times a failure stopped it; times it stopped, work saved"),
    "time_between_failures_s": Key("s", "wall time / failures; null without any"),
    "{num_accelerators,num_nodes}": Key("", "what the job takes; each trial of a sweep"),
    "tokens_per_step": Key("tokens", "of one step of the whole job, or of each trial of a sweep"),
    "counted_in": Key(
        "", "tokens, or samples where the model has none: what all keys named after tokens count"
    ),
    "step_parts_s.CAUSE": Key(
        "s",
        "the undisturbed step by cause: compute, memory, launch, recompute, exposed tensor, context, expert, "
        "pipeline and data communication, overlap, bubble, optimizer, offload, host, straggler, input, "
        "generation of samples",
    ),
    "memory_bytes.TERM": Key(
        "B",
        "memory of the fullest accelerator by term: weight, gradient, optimizer, gathered, activation, ...",
    ),
    "memory_frac": Key("fraction", "their sum / the accelerator's memory"),
    "checkpoint_bytes": Key("B", "a checkpoint of the whole job"),
    "cost_usd": Key("USD", "the cluster's cost by the accelerator time that the job held"),
    "usd_per_million_tokens": Key("USD", "that / tokens of steps that count"),
    "it_j": Key(
        "J", "its share of IT energy: idle power by the accelerator time held, what the job drew above idle"
    ),
    "it_j_per_token": Key("J", "that / tokens of steps that count"),
    "carbon_kg": Key(
        "kg CO2e", "its share of carbon: operational as the energy, embodied by the accelerator time held"
    ),
    "kg_per_million_tokens": Key("kg CO2e", "that / million tokens of steps that count"),
}
_JOBS = {
    "num_submitted": Key("", "jobs submitted in the window"),
    "num_finished": Key("", "of them, finished"),
    "num_unfinished": Key("", "of them, running or waiting when the simulation ended"),
    "num_infeasible": Key("", "of them, such that could never start"),
    "num_abandoned": Key("", "of them, given up after too many restarts"),
    "num_by_reason.REASON": Key(
        "",
        "those that could never start, by why: accelerators, model, cores, memory, nodes, scheduler",
    ),
    f"wait_s.{_SPREAD}": Key(
        "s",
        "time in the queue, after preemptions and failures too: mean and maximum of finished jobs; for "
        "percentiles the unfinished are slower than all others, and one that falls among them is null",
    ),
    f"completion_s.{_SPREAD}": Key("s", "job completion time: finish - submission; as for waits"),
    f"slowdown.{_SPREAD}": Key("", "bounded slowdown: completion time / max(run time, 10 s), at least 1"),
    "{num_preemptions,num_failures}": Key("", "times that one of them was preempted, or hit by a failure"),
    "utilization_frac": Key(
        "fraction", "accelerators held by jobs / those that jobs could hold, mean over time"
    ),
    "{num_waiting,num_running}.mean": Key("", "jobs that wait or run, mean over the window"),
    "fragmentation_frac": Key(
        "fraction", "free accelerators that the next typical job could not use / free ones"
    ),
    "accelerator_h": Key("h", "accelerator-hours held by jobs in the window"),
    "cost_usd": Key(
        "USD",
        "the cluster's cost by the accelerator time that jobs held, training jobs left out: see training",
    ),
    "it_j": Key(
        "J", "their share of IT energy: idle power by the accelerator time held, what jobs drew above idle"
    ),
    "carbon_kg": Key(
        "kg CO2e", "their share of carbon: operational as the energy, embodied by the accelerator time held"
    ),
    "by_queue.QUEUE.{num_submitted,num_finished}": Key(
        "", "by queue, where there are several (the hundred that held the most): jobs submitted in the window"
    ),
    "by_queue.QUEUE.wait_s": Key("s", "mean wait of its finished jobs; null without any"),
    "by_queue.QUEUE.accelerator_h": Key("h", "accelerator-hours that its jobs held, in all"),
    "by_queue.QUEUE.num_preemptions": Key("", "times that one of them was preempted"),
}
_LENDING = {
    "node_h": Key("h", "node-hours that serving lent to jobs in the window, those out of service left out"),
    "num_nodes.mean": Key("", "nodes lent, mean over the window"),
    "num_loans": Key("", "times in the window that jobs got a node: lent, or back from repair"),
    "num_take_backs": Key("", "times that a node in service was taken back in it"),
    "num_preempted": Key("", "jobs that this stopped"),
    "by_workload.NAME.num_replicas_on.mean": Key(
        "",
        "replicas that were on, mean over the window: not off, and not on their way back; failed ones count",
    ),
    "by_workload.NAME.num_pauses": Key("", "times that a replica of the served model was switched off"),
    "by_workload.NAME.finish_s": Key("s", "mean time from then until it had finished its requests"),
    "by_workload.NAME.return_s": Key("s", "mean time from when it was wanted back until it served again"),
}
_FAILURES = {
    "num_stops": Key("", "failures in the window that stopped something"),
    "num_nodes_away": Key("", "nodes out of service, mean over the window"),
    "time_between_s": Key("s", "window / failures that stopped something"),
    "num_by_cause.CAUSE": Key("", "those by cause, as the reliability section names it"),
    "num_by_effect.EFFECT": Key(
        "", "all entries of the log: stop, slow, slow_found, foreseen, false_alarm, maintenance"
    ),
}
_FABRIC = {
    "carried_bytes": Key("B", "bytes over all links: those of a transfer count on each link of its way"),
    "num_links_used": Key("", "directed links that carried anything"),
    "mean_utilization_frac": Key("fraction", "bytes carried / bytes possible, mean over those links"),
    "max_utilization_frac": Key("fraction", "the same of the busiest link"),
    "peak_utilization_frac": Key("fraction", "the busiest link in its busiest bin of time"),
    "num_transfers": Key("", "transfers (checkpoints, restores, ...) that ended in the window"),
    "mean_transfer_s": Key("s", "their mean time"),
    "stalled_s": Key("s", "time in which transfers had no way left, over the whole run"),
}
_LOAD = {
    "{read_bytes,written_bytes}": Key("B", "moved in the window"),
    "{mean_bandwidth_frac,peak_bandwidth_frac}": Key(
        "fraction", "share of the bandwidth in use; null where it has no limit"
    ),
    "busy_frac": Key("fraction", "time with any transfer under way"),
}
_STORAGE = {
    **_LOAD,
    "{num_reads,num_writes}": Key("", "transfers that ended in the window"),
    "{mean_read_s,max_read_s,mean_write_s,max_write_s}": Key("s", "how long they took; null without any"),
    "used_bytes": Key("B", "capacity in use, mean over the window"),
    "peak_used_bytes": Key("B", "the same, most in the window"),
    "used_frac": Key("fraction", "the mean / capacity; null where it has no single size"),
    "rent_usd": Key("USD", "price of holding the bytes; 0 if the store is owned. Not in cost.total_usd"),
    "energy_j": Key("J", "the store's own power over the window. Not in energy.it_j"),
    **{f"cache.{pattern}": key for pattern, key in _LOAD.items()},
}

_SHARES = {
    "cost_usd": Key("USD", "the cluster's cost by the accelerators that the workload holds and has not lent"),
    "usd_per_million_output_tokens": Key("USD", "that per million output tokens of the workload"),
    "it_j": Key(
        "J",
        "its share of IT energy: idle power by the accelerators held and not lent, what they drew above idle",
    ),
    "it_j_per_output_token": Key("J", "that / output tokens of the workload"),
    "carbon_kg": Key(
        "kg CO2e", "its share of carbon: operational as the energy, embodied by the accelerators held"
    ),
    "kg_per_million_output_tokens": Key("kg CO2e", "that per million output tokens of the workload"),
}
_UNHELD_J = {"unheld_it_j": Key("J", "idle power by the accelerator time that no work held")}
_UNHELD_USD = {"unheld_usd": Key("USD", "the total by the accelerator time that no work held")}
_UNHELD_KG = {"unheld_kg": Key("kg CO2e", "the total by the accelerator time that no work held")}

CLUSTER_SECTIONS: Sections = {
    "share of the cluster (absent where serving is alone on it)": ("serving.NAME.", _SHARES),
    "energy that no work has a share of (absent where serving is alone)": ("energy.", _UNHELD_J),
    "cost that no work has a share of (absent where serving is alone)": ("cost.", _UNHELD_USD),
    "carbon that no work has a share of (absent where serving is alone)": ("carbon.", _UNHELD_KG),
    "training (absent without jobs to train)": ("training.NAME.", _TRAINING),
    "jobs (absent without a section jobs)": ("jobs.", _JOBS),
    "lending (absent unless a served model lends nodes)": ("lending.", _LENDING),
    "failures (absent without a section reliability)": ("failures.", _FAILURES),
    "fabric (absent without a section fabric)": ("fabric.", _FABRIC),
    "storage (absent without stores)": ("storage.STORE.", _STORAGE),
}
