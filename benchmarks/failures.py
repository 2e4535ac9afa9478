"""Training jobs that fail: how close the simulation is to Daly's complete form, and how fast it is.

    python -m benchmarks.failures

The first table holds jobs on the clock against the closed form and against the first-order formula that is
often used; the second times 54 days of 16,384 accelerators.
"""

from __future__ import annotations

import statistics
import time

import simpy

from dcsim.formulas.estimation import half_width
from dcsim.formulas.reliability import CheckpointTimes, productive_share
from dcsim.formulas.training.step import StepCondition
from dcsim.metrics.columns import floats
from dcsim.sim.failures.process import FailureProcess
from dcsim.sim.failures.spares import SparePool
from dcsim.sim.streams import Streams
from dcsim.sim.training.checkpointing import FixedCheckpoints, SaveTimes
from dcsim.sim.training.job import TrainingProcess, TrainingTask
from dcsim.sim.training.run import StepParts
from dcsim.sim.training.span_log import SpanLog
from dcsim.spec.reliability import ClusterShape, Reliability
from dcsim.tables import Table
from dcsim.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, SECONDS_PER_MINUTE

NUM_REPLICATIONS, FAILURES_EACH = 32, 2000
# mean time to failure h, interval min, stall s, restart min: Llama 3 and Meta RSC, and what is said of them
CASES = [
    (3.09, 60, 30, 10),
    (3.09, 30, 30, 10),
    (3.09, 10, 5, 10),
    (1.80, 60, 60, 12.5),
    (0.23, 2, 2, 2),
    (0.23, 10, 10, 10),
    (47.7 * 24, 60, 60, 12.5),
]


class Steps:
    """Steps of one length."""

    def __init__(self, step_s: float, num_nodes: int) -> None:
        self.num_nodes, self.num_accelerators, self.num_data_parallel = num_nodes, 8 * num_nodes, 1
        self._step = StepParts(step_s)

    def step(self, condition: StepCondition) -> StepParts:
        """The same step, whatever the condition."""
        return self._step


def simulated(
    section: Reliability, steps: Steps, saves: tuple[int, SaveTimes], duration_s: float, seed: int
) -> tuple[Table, TrainingProcess]:
    """One job; its spans and the failures."""
    environment, log = simpy.Environment(), SpanLog()
    num_nodes = steps.num_nodes + section.num_spares
    shape = ClusterShape(num_nodes, 8, 8, section.domains.by_domain)
    failures = FailureProcess(environment, section, shape, Streams(seed, 0))
    pool = SparePool(failures, range(num_nodes))
    checkpoints = FixedCheckpoints(environment, *saves)
    task = TrainingTask("job", steps, section.recovery)
    job = TrainingProcess(environment, task, checkpoints, failures, pool, log)
    failures.start()
    environment.run(until=duration_s)
    job.finish()
    return log.table(), job


def productive_frac(spans: Table) -> float:
    counts = spans["kind"] == "productive"
    duration_s, checkpoint_s = floats(spans, "duration_s"), floats(spans, "checkpoint_s")
    return float((duration_s - checkpoint_s)[counts].sum() / duration_s.sum())


def against_daly() -> None:
    print("| M h | tau min | w s | R min | simulated | Daly, complete | first order |")
    print("|---|---|---|---|---|---|---|")
    for number, (mttf_h, interval_min, stall_s, restart_min) in enumerate(CASES):
        mean_s, interval_s = mttf_h * SECONDS_PER_HOUR, interval_min * SECONDS_PER_MINUTE
        restart_s = restart_min * SECONDS_PER_MINUTE
        cause = {"component": "software", "mtbf": f"{mean_s} s"}
        section = Reliability.model_validate(
            {
                "preset": {"base": "none", "causes": {"crash": cause}},
                **{"detection": f"{restart_s} s", "diagnosis": 0, "swap": 0, "initialization": 0},
            }
        )
        saves = (int(interval_s), SaveTimes(float(stall_s)))
        found = [
            productive_frac(simulated(section, Steps(1.0, 1), saves, FAILURES_EACH * mean_s, seed)[0])
            for seed in range(1000 * number, 1000 * number + NUM_REPLICATIONS)  # or all cases err alike
        ]
        daly = productive_share(interval_s, mean_s, CheckpointTimes(stall_s, restart_s))
        first_order = (1 - (restart_s + interval_s / 2) / mean_s) * interval_s / (interval_s + stall_s)
        mean, width = statistics.fmean(found), half_width(found)
        print(
            f"| {mttf_h:g} | {interval_min:g} | {stall_s:g} | {restart_min:g} | {mean:.4f} ± {width:.4f} "
            f"| {daly:.4f} | {first_order:.4f} |"
        )


def speed() -> None:
    print("\n| 54 days, 16,384 accelerators, step 5 s | processor s | failures | productive |")
    print("|---|---|---|---|")
    section = Reliability.model_validate({"preset": "llama3-h100", "spares": 32})
    for text, times in (
        ("10 min, fixed times", SaveTimes(5.0)),
        ("10 min, drain 5 min", SaveTimes(5.0, 300.0)),
    ):
        began_s = time.process_time()
        spans, job = simulated(section, Steps(5.0, 2048), (120, times), 54 * SECONDS_PER_DAY, 1)
        taken_s = time.process_time() - began_s
        found = f"{taken_s:.2f} | {job.num_failures} | {productive_frac(spans):.3f}"
        print(f"| checkpoints every {text} | {found} |")


if __name__ == "__main__":
    against_daly()
    speed()
