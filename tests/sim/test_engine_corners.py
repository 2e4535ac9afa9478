"""Corners of the engine that random loads meet rarely, each on its smallest load, against the naive twin."""

from __future__ import annotations

import pytest

from tests.sim.agreement import assert_twins_agree
from tests.sim.drive import drive, drive_twin
from tests.sim.timers import AffineTimer
from tests.sim.twin import Arrival, TwinOptions


def options(scheduler: str, num_blocks: int, block_size: int, budget: int, **others: int) -> TwinOptions:
    chosen = {"max_num_seqs": 2, **others}
    return TwinOptions(
        scheduler=scheduler,
        num_blocks=num_blocks,
        block_size=block_size,
        max_num_batched_tokens=budget,
        **chosen,
    )


def arrivals(*rows: tuple[float, int, int] | tuple[float, int, int, int]) -> list[Arrival]:
    return [Arrival(*row) for row in rows]


CORNERS = {
    "a prompt preempted for its own next chunk may begin again in the very next step": (
        options("chunked_prefill", 12, 8, budget=23),
        arrivals((0, 64, 3), (0, 25, 1)),
    ),
    "tokens generated before a preemption are no part of a shared prefix": (
        options("prefill_first", 2, 8, budget=2, num_prefix_tokens=13),
        arrivals((0, 1, 9), (0, 1, 9, 1), (0, 9, 1, 1)),
    ),
    "blocks taken for one admitted prompt do not evict those that another one hits": (
        options("prefill_first", 5, 3, budget=2, num_prefix_tokens=5),
        arrivals((0, 3, 1, 0), (0, 2, 3), (0, 2, 3), (1.25, 1, 1), (1.25, 4, 1, 0)),
    ),
    "blocks taken for a chunk under way do not evict those that an admitted prompt hits": (
        options("chunked_prefill", 44, 1, budget=2, num_prefix_tokens=1),
        arrivals((0, 1, 1, 2), (0, 14, 12), (0.3958, 19, 1), (0.3958, 2, 1, 2)),
    ),
    "later chunks of a reserved prompt enter the prefix cache, too": (
        options("sarathi", 2, 8, budget=1, max_num_seqs=1, num_prefix_tokens=10),
        arrivals((0, 8, 1, 1), (0, 9, 1, 1)),
    ),
    "idle blocks that two admitted prompts hit are counted once": (
        options("chunked_prefill", 37, 1, budget=31, max_num_seqs=3, num_prefix_tokens=5),
        arrivals((0, 1, 18), (0, 4, 18, 1), (0.0063, 7, 11, 1)),
    ),
    "a waiting prompt may fit once decodes have evicted what it would have hit": (
        options(
            "chunked_prefill", 22, 3, budget=7, max_num_seqs=5, num_watermark_blocks=2, num_prefix_tokens=11
        ),
        arrivals(
            (0, 3, 1, 1), (0.842, 16, 11, 1), (0.842, 10, 7, 2),
            (0.842, 9, 9, 2), (0.842, 1, 8), (0.842, 10, 3, 0),
        ),
    ),
    "an empty engine admits below the watermark": (
        options("sarathi", 4, 8, budget=16, num_watermark_blocks=3),
        arrivals((0, 30, 3), (0, 8, 2)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("corner", CORNERS)
def test_engine_equals_its_twin_where(corner: str) -> None:
    assert_twins_agree(CORNERS[corner], AffineTimer())


def test_a_request_ends_where_its_deadline_was_not_where_the_engine_noticed() -> None:
    late = options("chunked_prefill", 40, 8, budget=64)
    late = TwinOptions(**{**late.__dict__, "timeout_s": 0.5})
    run = drive(late, AffineTimer(), arrivals((0, 100, 200)))
    assert run.finished_at_s[0] == 0.5
    assert 0 < run.num_generated_tokens[0] < 200


def test_the_twin_preempts_so_that_the_comparison_means_something() -> None:
    run, twin = drive_twin(
        options("sarathi", 12, 8, budget=64, max_num_seqs=4),
        AffineTimer(),
        arrivals((0, 30, 50), (0, 30, 50), (0, 30, 50)),
    )
    assert run.num_preemptions.sum() > 0
    assert twin.num_lost_tokens > 0
