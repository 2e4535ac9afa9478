"""One pass over the rows of the table steps, in which all meters read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dcsim.formulas.power import PowerCurve, power_rise_w
from dcsim.metrics.columns import Array, floats, integers
from dcsim.metrics.explain import Explainer, Profile, add_rows, explained_groups, held_by_preemptions
from dcsim.metrics.itl import GapMeter, GapSketch
from dcsim.metrics.kv_transfers import Handovers
from dcsim.metrics.pools import pools
from dcsim.metrics.replica_use import ReplicaUse
from dcsim.metrics.request_view import RequestView
from dcsim.metrics.step_cost import RowCosts, StepCosts
from dcsim.metrics.step_rows import OrderedSteps, StepRows, engine_positions
from dcsim.metrics.time_bins import BinnedSums
from dcsim.metrics.window import Window
from dcsim.spec.deployment import ServingDeployment
from dcsim.tables import RequestStatus, ServingTables


@dataclass(frozen=True, slots=True)
class RunRows:
    """What the rows say of one workload over a whole run, warm-up and drain included."""

    sums: Sequence[BinnedSums]  # by pool: those of the window's, and ``sequence_s``: sequences x time
    gaps: GapSketch  # of the measured window
    use: ReplicaUse  # of the measured window


@dataclass(frozen=True, slots=True)
class RowFindings:
    """What the rows say of one workload in one replication."""

    sums: Sequence[BinnedSums]  # by pool, over the workload's own window
    joint_sums: Sequence[BinnedSums]  # by pool, over the window of all workloads
    gaps: GapSketch
    profiles: dict[str, Profile]


def read_rows(
    served: ServingDeployment, tables: ServingTables, view: RequestView, window: Window, joint: Window
) -> RowFindings:
    """Read all rows once."""
    steps = OrderedSteps(tables.steps)
    engine, handovers = integers(tables.requests, "engine"), Handovers.of(tables)
    held = held_by_preemptions(tables.preemptions)
    explainer = Explainer(steps, tables.requests, engine, handovers, held, served.request_overhead_s)
    profiles = {name: explainer.profile(chosen) for name, chosen in explained_groups(view).items()}
    gaps = _gap_meter(tables, steps, window, handovers)
    by_pool, joint_by_pool = list[BinnedSums](), list[BinnedSums]()
    for pool in pools(served):
        sums = BinnedSums(window.edges())
        joint_sums = sums if joint == window else BinnedSums(joint.edges())
        costs = StepCosts(pool.served.deployment, tables.steps)
        curve = pool.served.accelerator.power_curve
        for rows in steps.chunks(pool.engines):
            row_costs = costs.of(rows)
            quantities = _quantities(pool.served, curve, rows, row_costs)
            for one in {id(sums): sums, id(joint_sums): joint_sums}.values():
                one.add(rows.started_at_s, rows.duration_s, quantities)
            gaps.add(rows, row_costs)
            add_rows(profiles.values(), rows, row_costs)
        by_pool.append(sums)
        joint_by_pool.append(joint_sums)
    return RowFindings(by_pool, joint_by_pool, gaps.sketch, profiles)


def read_run_rows(
    served: ServingDeployment, tables: ServingTables, window: Window, edges_s: Array
) -> RunRows:
    """Read all rows once, for sums between the edges, without explaining a request."""
    steps = OrderedSteps(tables.steps)
    gaps = _gap_meter(tables, steps, window, Handovers.of(tables))
    by_pool, use = list[BinnedSums](), ReplicaUse(served, window)
    for pool in pools(served):
        sums, curve = BinnedSums(edges_s), pool.served.accelerator.power_curve
        costs = StepCosts(pool.served.deployment, tables.steps)
        for rows in steps.chunks(pool.engines):
            row_costs = costs.of(rows)
            num_sequences = rows.num_decodes + rows.num_prefill_chunks
            quantities = _quantities(pool.served, curve, rows, row_costs)
            quantities["sequence_s"] = num_sequences * rows.duration_s
            sums.add(rows.started_at_s, rows.duration_s, quantities)
            gaps.add(rows, row_costs)
            use.add(rows, steps.engine[rows.first : rows.first + len(rows)])
        by_pool.append(sums)
    return RunRows(by_pool, gaps.sketch, use)


def _gap_meter(tables: ServingTables, steps: OrderedSteps, window: Window, handovers: Handovers) -> GapMeter:
    """A meter that knows of the gaps that no row tells."""
    without_gap = _num_without_gap(tables, steps, handovers)
    gaps = GapMeter(steps, window, without_gap, handovers.first_gaps(tables, steps))
    gaps.add_preemptions(tables.preemptions)
    return gaps


def _quantities(
    served: ServingDeployment, curve: PowerCurve, rows: StepRows, costs: RowCosts
) -> dict[str, Array]:
    """Totals of each row, to be summed over time."""
    duration_s = np.maximum(rows.duration_s, 1e-12)
    memory_use, compute_use = costs.executed_memory_s / duration_s, costs.executed_compute_s / duration_s
    rise_w = np.asarray(power_rise_w(curve, memory_use, compute_use, served.num_lanes))
    # blocks are counted at the end of a row; in a jump they were taken evenly on the way there
    grown_blocks = rows.num_decodes * (rows.num_steps - 1.0) / served.block_size
    decode_s = np.where(rows.num_decodes > 0, rows.duration_s - costs.interference_s, 0.0)
    return {
        "busy_s": rows.duration_s,
        "num_steps": rows.num_steps,
        "sequence_steps": rows.num_steps * (rows.num_decodes + rows.num_prefill_chunks),
        "num_output_tokens": rows.num_steps * rows.num_sampled,
        "num_computed_prompt_tokens": rows.num_prefill_tokens,
        "flops": costs.flops,
        "bytes": costs.bytes,
        "rise_j": rise_w * rows.duration_s * served.accelerators_per_replica,
        "block_s": np.maximum(rows.num_used_blocks - grown_blocks / 2.0, 0.0) * rows.duration_s,
        "decode_accelerator_s": decode_s * served.accelerators_per_replica / served.num_lanes,
        "prefill_accelerator_s": (rows.duration_s - decode_s)
        * served.accelerators_per_replica
        / served.num_lanes,
    }


def _num_without_gap(
    tables: ServingTables, steps: OrderedSteps, handovers: Handovers
) -> npt.NDArray[np.int64]:
    """For each row in engine order, the sequences that got a token at its end and no other soon after.

    Those with one token, those that finished with the token that made up for a preemption, and those
    preempted right after it: none of them is among the decodes of the rows that follow.
    """
    requests, preemptions = tables.requests, tables.preemptions
    engine = integers(requests, "engine")
    single = np.flatnonzero(integers(requests, "num_generated_tokens") == 1)
    is_finished = integers(requests, "status") == RequestStatus.FINISHED
    made_up = np.flatnonzero(
        is_finished
        & (integers(requests, "num_preemptions") > 0)
        & (integers(requests, "num_generated_tokens") > 1)
    )
    last_at_s = floats(preemptions, "last_token_at_s")
    lost = np.flatnonzero(np.isfinite(last_at_s))
    pairs = np.stack([floats(preemptions, "request")[lost], last_at_s[lost]])
    lost = lost[np.unique(pairs, axis=1, return_index=True)[1]]
    engines = [handovers.prefill_engine[single], engine[made_up], integers(preemptions, "engine")[lost]]
    first_at_s, finished_at_s = floats(requests, "first_token_at_s"), floats(requests, "finished_at_s")
    instants_s = [first_at_s[single], finished_at_s[made_up], last_at_s[lost]]
    positions, share = engine_positions(steps, np.concatenate(engines), np.concatenate(instants_s))
    counts = np.zeros(len(steps), dtype=np.int64)
    # the end of a row may read as the start of the next
    np.add.at(counts, np.maximum(positions - (share < 0.5), 0), 1)
    return counts
