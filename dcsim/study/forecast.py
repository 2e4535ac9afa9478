"""What an estimate says: means of a steady state, without a simulation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dcsim.formulas.engine.capacity import Bound
from dcsim.formulas.memory import MemoryFit


@dataclass(frozen=True, slots=True)
class ServingForecast:
    """One serving workload, all its replicas together; latencies are means over requests.

    Beyond capacity, and for a burst, queues have no mean: latencies are None, and throughput is what the
    engines reach while requests always wait.
    """

    offered_requests_per_s: float | None  # of a closed loop the throughput found; None for a burst
    capacity_requests_per_s: float  # the largest rate at which as many requests end as come
    saturated_requests_per_s: float  # while requests always wait: less where preemptions waste work
    load_frac: float | None
    is_overloaded: bool
    bound_by: Bound
    mean_prompt_tokens: float
    mean_output_tokens: float
    requests_per_s: float
    ttft_s: float | None
    tpot_s: float | None  # None also if no request has a second token
    e2e_s: float | None
    num_outstanding: float | None  # requests between arrival and end
    num_running: float
    batch_size: float  # sequences in the mean step
    kv_occupancy_frac: float
    utilization_frac: float
    output_tokens_per_s: float
    prompt_tokens_per_s: float
    num_accelerators: int
    num_replicas: int
    memory: MemoryFit


@dataclass(frozen=True, slots=True)
class Forecast:
    """A scenario: its workloads by name, and the whole cluster. None where a section is missing."""

    serving: Mapping[str, ServingForecast] = field(hash=False)
    it_w: float
    facility_w: float | None
    accelerator_w: float  # of the mean accelerator of the cluster
    it_j_per_output_token: float | None
    facility_j_per_output_token: float | None
    usd_per_million_output_tokens: float | None
    usd_per_million_total_tokens: float | None
    usd_per_accelerator_hour: float | None
    usd_per_yr: float | None
    kg_per_million_output_tokens: float | None
