"""The contract of ``series.json`` for what the cluster does beside serving; see ``contract``."""

from __future__ import annotations

from dcsim.metrics.key import Key, Sections
from dcsim.metrics.series.nodes import MAX_BARS, MAX_NODES
from dcsim.metrics.series.training import MAX_SPANS

_BINS = {"started_at_s": Key("s", "list: start of each bin"), "bin_s": Key("s", "length of a bin")}

_SPANS = {
    "spans.job": Key(
        "", "list: job of the bar; a sweep has one for each trial at a time, the first 40 shown"
    ),
    "spans.kind": Key("", "list: what it did, as in the table training_spans; the longest of several"),
    "spans.cause": Key("", "list: cause of failures that it is due to; empty for none"),
    "spans.{started_at_s,duration_s}": Key("s", "list: from when, and for how long"),
    "spans.productive_frac": Key("fraction", "list: part of the bar in undisturbed steps that count"),
    "spans.num_spans": Key(
        "", f"list: spans drawn as one bar; more than 1 only where there are over {MAX_SPANS}"
    ),
    "spans.num_jobs_left_out": Key("", "trials beyond the first 40"),
}
_WATERFALL = {
    "waterfall.{wall_s,productive_s}": Key(
        "s", "as in the summary, mean over replications: the first is the sum of the second and of part_s"
    ),
    "waterfall.part": Key("", "list: what time was lost to, the most first, as under lost_s in the summary"),
    "waterfall.part_s": Key("s", "list: how much"),
}
_TRAINING_TIMELINE = {
    **_BINS,
    "productive_frac": Key("fraction", "list: part of the bin in steps that count, as they take undisturbed"),
    "disturbed_frac": Key(
        "fraction", "list: what those steps took longer: fewer replicas, other traffic, input, slow nodes"
    ),
    "checkpoint_frac": Key("fraction", "list: part in which a checkpoint held the steps up"),
    "lost_frac": Key("fraction", "list: part in steps that a failure undid"),
    "recovery_frac": Key("fraction", "list: part from a failure to the next step"),
    "preparation_frac": Key("fraction", "list: part in which the data set was staged or reshuffled"),
    "queue_frac": Key("fraction", "list: part before the first start"),
    "tokens_per_s": Key("1/s", "list: tokens of steps that count"),
    "num_accelerators": Key("", "list: accelerators held, mean over the bin"),
}
_GROUP = {
    "num_finished": Key("", "list: jobs that finished"),
    "{mean_wait_s,mean_completion_s}": Key("s", "list: their mean wait and completion time"),
    "accelerator_h": Key("h", "list: accelerator-hours that they held"),
}
_JOBS = {
    "{wait_s,completion_s}.quantiles": Key(
        "s", "list: quantiles at the probabilities; null where one falls among jobs that did not finish"
    ),
    "{wait_s,completion_s}.num_beyond": Key("", "jobs that did not finish, infeasible ones left out"),
    "{wait_s,completion_s}.histogram.edges": Key("s", "list: logarithmic, as for latencies"),
    "{wait_s,completion_s}.histogram.counts": Key("", "list: jobs from each edge to the next"),
    "{wait_s,completion_s}.histogram.num_zero": Key("", "jobs with none, or less than a microsecond"),
    "by_size.max_accelerators": Key("", "list: classes of jobs by accelerators asked for, up to so many"),
    **{f"by_size.{name}": key for name, key in _GROUP.items()},
    "by_queue.queue": Key("", "list: the 20 queues whose jobs held the most, the largest first"),
    **{f"by_queue.{name}": key for name, key in _GROUP.items()},
    "by_queue.rest.{num_queues,num_finished}": Key("", "other queues, and their finished jobs"),
}
_SAMPLE = {
    "job": Key("", "list: number of the job"),
    "{queue,status}": Key("", "list: its queue; finished, running, waiting, infeasible or abandoned"),
    "{submitted_at_s,started_at_s,finished_at_s}": Key("s", "list: null where that never came"),
    "{wait_s,held_s}": Key("s", "list: time in the queue; time it held accelerators"),
    "num_accelerators": Key("", "list: accelerators asked for"),
    "num_nodes": Key("", "list: nodes of its last run"),
    "{num_preemptions,num_failures}": Key("", "list: times it was stopped"),
    "num_left_out": Key("", "jobs not listed"),
}
_POOL = {
    **_BINS,
    "num_used": Key("", "list: accelerators held by jobs, mean over the bin"),
    "num_free": Key("", "list: accelerators that jobs could have"),
    "num_away": Key("", "list: accelerators of nodes that are down, drained or lent"),
    "num_queued_accelerators": Key("", "list: accelerators that waiting jobs ask for"),
    "{num_waiting,num_running}": Key("", "list: jobs that wait, that run"),
    "fragmentation_frac": Key(
        "fraction", "list: free accelerators that a typical job could not use / free ones"
    ),
}
_NODES = {
    "node": Key(
        "", f"list: node of the bar; the {MAX_NODES} that changed hands most often. It is free between bars"
    ),
    "kind": Key(
        "", "list: training, job (scheduled), serving, spare or down: what held most of the node in the bar"
    ),
    "holder": Key(
        "", "list: training job, number of the scheduled job, served workload, cause of the outage; or empty"
    ),
    "started_at_s": Key(
        "s",
        "list: start; a bar ends where something about its node changes; changes that come close together "
        f"are one where there would be over {MAX_BARS:,} bars",
    ),
    "duration_s": Key("s", "list: length"),
    "num_accelerators": Key("", "list: accelerators held by all its holders, mean over the bar"),
    "num_holders": Key("", "list: how many held part of the node in the bar"),
    "num_nodes_left_out": Key("", "nodes that are not shown"),
    "num_holdings_left_out": Key("", "holdings that the table node_holdings has only the sum of"),
}
_FAILURES = {
    "log.{failed_at_s,repaired_at_s}": Key("s", "list: null where nothing was down, or is not back yet"),
    "log.{cause,component,effect}": Key("", "list: as in the table failures"),
    "log.{node,num_nodes,num_hit}": Key("", "list: first node, nodes, jobs and replicas that were told"),
    "log.num_left_out": Key("", "rows left out: those that hit nobody go first"),
    "timeline.started_at_s": Key("s", "list: start of each bin"),
    "timeline.bin_s": Key("s", "length of a bin"),
    "timeline.{num_stops,num_slow,num_planned}": Key(
        "",
        "list: failures that stop something, nodes that grow slow, maintenance and predictions, in the bin",
    ),
    "timeline.num_nodes_away": Key("", "list: nodes out of service, mean over the bin"),
}
_FABRIC = {
    "layers.layer": Key("", "list: kinds of directed links, by the vertices at their ends: leaf -> spine"),
    "layers.{num_links,num_left_out}": Key("", "list: links of the kind; kinds beyond the first 12"),
    "layers.bytes_per_s": Key("B/s", "list: what they carry at most together"),
    "layers.num_bytes": Key("B", "list: what they carried"),
    "layers.{mean_utilization_frac,max_utilization_frac,peak_utilization_frac}": Key(
        "fraction", "list: mean use; that of the busiest link; the busiest link in its busiest bin"
    ),
    "timeline.started_at_s": Key("s", "list: start of each bin"),
    "timeline.bin_s": Key("s", "length of a bin"),
    "timeline.layers.layer": Key("", "list: the same kinds of links"),
    "timeline.layers.utilization_frac": Key("fraction", "list of lists: for each kind its mean use by bins"),
    "links.vertices.{name,layer}": Key("", "list: nodes, switches, stores and their ports; their kinds"),
    "links.{source,destination}": Key("", "list: ends of the links between two vertices, taken together"),
    "links.bytes_per_s": Key("B/s", "list: what they carry at most"),
    "links.{mean_utilization_frac,peak_utilization_frac}": Key("fraction", "list: as above"),
    "links.num_left_out": Key("", "all of them, where there are over 512 vertices or 2,000 links"),
    "transfers.label": Key("", "list: what transfers were for, the most bytes first, at most 20"),
    "transfers.{num_transfers,num_left_out}": Key("", "list: how many; labels left out"),
    "transfers.num_bytes": Key("B", "list: bytes of all their flows"),
    "transfers.{mean_s,stalled_s}": Key("s", "list: their mean time; time without any way left"),
    "outages.{what,num_cables,num_left_out}": Key("", "list: switch or cable, cables that it took along"),
    "outages.{started_at_s,duration_s}": Key("s", "list: when it was out of service; the first 200"),
}
_LEVELS = {
    **{f"timeline.{name}": key for name, key in _BINS.items()},
    "timeline.{read_bytes_per_s,write_bytes_per_s}": Key("B/s", "list: rates, mean over the bin"),
    "timeline.bandwidth_frac": Key("fraction", "list: share of the bandwidth in use"),
    "timeline.num_transfers": Key("", "list: transfers under way"),
}
_STORAGE = {
    **_LEVELS,
    "timeline.used_bytes": Key("B", "list: capacity in use"),
    "operations.{label,operation}": Key("", "list: what transfers were for; read or write"),
    "operations.num_transfers": Key("", "list: how many"),
    "operations.num_bytes": Key("B", "list: bytes that they move"),
    "operations.{mean_s,max_s}": Key("s", "list: how long they took; null where none ended"),
    **{f"cache.{name}": key for name, key in _LEVELS.items()},
}

CLUSTER_SECTIONS: Sections = {
    "what a training job did when: first replication": ("training.NAME.", _SPANS),
    "where a training job's time went: measured window, all replications": ("training.NAME.", _WATERFALL),
    "a training job over time: first replication": ("training.NAME.timeline.", _TRAINING_TIMELINE),
    "jobs submitted in the measured windows of all replications": ("jobs.", _JOBS),
    "the 200 jobs that held the most accelerator time, in order of submission: first replication": (
        "jobs.sample.",
        _SAMPLE,
    ),
    "the pool of jobs over time: first replication": ("jobs.timeline.", _POOL),
    "nodes, and who held them: first replication": ("cluster.nodes.", _NODES),
    "failures: first replication": ("failures.", _FAILURES),
    "the fabric: first replication": ("fabric.", _FABRIC),
    "stores: first replication": ("storage.STORE.", _STORAGE),
}
