"""With Vidur's own step times, every request fares as Vidur says.

What differs in meaning: Vidur's context of a decode counts the token that it is about to cache (here:
computed tokens plus one, the same number); Vidur's (finish - first token)/128 divides by all output
tokens where TPOT has one less; Vidur never admits below the watermark, this engine does when it is empty.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from dcsim.policies.routers.round_robin import RoundRobin
from tests.sim.drive import drive_twin
from tests.sim.fleets import run_fleet
from tests.sim.twin import Arrival, TwinOptions
from tests.sim.vidur_tables import TABLES, VidurRun, VidurTables, read_run

pytestmark = pytest.mark.skipif(
    not TABLES.exists(), reason="Vidur's golden runs are not beside the repository"
)
OPTIONS = TwinOptions(
    scheduler="sarathi", max_num_seqs=128, max_num_batched_tokens=512,
    num_blocks=3328, block_size=16, num_watermark_blocks=33,
)  # fmt: skip
TOLERANCE, SHARE = 1e-3, 0.999
Samples = npt.NDArray[np.float64]


def arrivals(vidur: VidurRun) -> list[Arrival]:
    columns = (vidur.arrived_at_s, vidur.num_prompt_tokens, vidur.num_output_tokens)
    return [Arrival(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def assert_equal(simulated_s: Samples, vidur_s: Samples) -> None:
    """Within 0.1 % for 99.9 % of the requests."""
    error = np.abs(simulated_s / vidur_s - 1)
    assert np.mean(error <= TOLERANCE) >= SHARE, f"worst {error.max()}"


@pytest.mark.parametrize("num_replicas", [1, 16])
def test_every_request_has_the_ttft_and_the_finish_time_that_vidur_gives_it(num_replicas: int) -> None:
    vidur = read_run(num_replicas)
    tables = run_fleet(OPTIONS, VidurTables(), arrivals(vidur), RoundRobin(), num_replicas=num_replicas)
    assert_equal(tables.requests["first_token_at_s"] - vidur.arrived_at_s, vidur.ttft_s)
    assert_equal(tables.requests["finished_at_s"] - vidur.arrived_at_s, vidur.e2e_s)
    assert tables.requests["num_preemptions"].sum() == vidur.num_restarts.sum() == 0


def test_the_naive_twin_agrees_with_vidur_so_the_rules_are_understood() -> None:
    vidur, count = read_run(1), 300
    run, _ = drive_twin(OPTIONS, VidurTables(), arrivals(vidur)[: 2 * count])
    ttft_s = (run.first_token_at_s - vidur.arrived_at_s[: 2 * count])[:count]
    assert_equal(ttft_s, vidur.ttft_s[:count])
