"""With Vidur's own step times, every request fares as Vidur says.

What differs in meaning: Vidur's context of a decode counts the token that it is about to cache (here:
computed tokens plus one, the same number); Vidur's (finish - first token)/128 divides by all output
tokens where TPOT has one less; Vidur never admits below the watermark, this engine does when it is empty.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.sim.drive import drive, drive_twin
from tests.sim.twin import Arrival, TwinOptions
from tests.sim.vidur_tables import TABLES, VidurRun, VidurTables, read_run

pytestmark = pytest.mark.skipif(not TABLES.exists(), reason="Vidur's golden runs are not beside the repository")
OPTIONS = TwinOptions(
    scheduler="sarathi", max_num_seqs=128, max_num_batched_tokens=512,
    num_blocks=3328, block_size=16, num_watermark_blocks=33,
)  # fmt: skip
TOLERANCE, SHARE = 1e-3, 0.999


def arrivals(vidur: VidurRun, replica: int, num_replicas: int) -> list[Arrival]:
    """The requests of one replica under round robin."""
    columns = (vidur.arrived_at_s, vidur.num_prompt_tokens, vidur.num_output_tokens)
    chosen = (column[replica::num_replicas].tolist() for column in columns)
    return [Arrival(at, prompt, output) for at, prompt, output in zip(*chosen, strict=True)]


def assert_equal(simulated_s: np.ndarray, vidur_s: np.ndarray) -> None:
    """Within 0.1 % for 99.9 % of the requests."""
    error = np.abs(simulated_s / vidur_s - 1)
    assert np.mean(error <= TOLERANCE) >= SHARE, f"worst {error.max()}"


@pytest.mark.parametrize("num_replicas", [1, 16])
def test_every_request_has_the_ttft_and_the_finish_time_that_vidur_gives_it(num_replicas: int) -> None:
    vidur, timer = read_run(num_replicas), VidurTables()
    for replica in range(num_replicas):
        run = drive(OPTIONS, timer, arrivals(vidur, replica, num_replicas))
        arrived_at_s = vidur.arrived_at_s[replica::num_replicas]
        assert_equal(run.first_token_at_s - arrived_at_s, vidur.ttft_s[replica::num_replicas])
        assert_equal(run.finished_at_s - arrived_at_s, vidur.e2e_s[replica::num_replicas])


def test_the_naive_twin_agrees_with_vidur_so_the_rules_are_understood() -> None:
    vidur = read_run(1)
    requests = slice(0, 400)
    run, _ = drive_twin(OPTIONS, VidurTables(), arrivals(vidur, 0, 1)[requests])
    error = np.abs((run.first_token_at_s - vidur.arrived_at_s[requests]) / vidur.ttft_s[requests] - 1)
    assert error[:300].max() < 1e-5


def test_vidurs_requests_are_neither_preempted_nor_restarted() -> None:
    vidur = read_run(1)
    assert vidur.num_restarts.sum() == 0
    assert drive(OPTIONS, VidurTables(), arrivals(vidur, 0, 1)).num_preemptions.sum() == 0
