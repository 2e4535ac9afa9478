"""Samples of a job: a stream beside checkpoints, at the pace of steps, and what arrives of it."""

import pytest

from dcsim.sim.storage.sample_input import SampleInput
from dcsim.spec.training.dataset_reads import DatasetReads
from tests.sim.storage.stores import bench, limits

READS = DatasetReads("disk", bytes_per_step=60.0, wanted_bytes_per_s=60.0, available_bytes_per_s=100.0)


def test_steps_do_not_wait_for_samples_that_fit() -> None:
    one = bench(limits(100.0))
    use = SampleInput(one.store, READS).occupy(range(4), lambda _: None)
    use.follow(1.0)
    one.environment.run(until=1.0)
    assert use.bytes_per_s is None


def test_another_jobs_checkpoint_slows_them_down_until_it_is_written() -> None:
    one = bench(limits(100.0))
    told: list[float | None] = []
    use = SampleInput(one.store, READS).occupy(range(4), lambda _: told.append(use.bytes_per_s))
    use.follow(1.0)
    one.at(1.0, lambda: one.store.write(range(4, 12), 1000.0))
    one.environment.run(until=60.0)
    assert told == [pytest.approx(100.0 / 3), None]


def test_slower_steps_leave_more_of_the_store_to_others() -> None:
    """Steps of 1 s leave a quarter of the store's weight by nodes, 25 B/s of 60; steps of 6 s ask for 10."""
    one = bench(limits(100.0))
    use = SampleInput(one.store, READS).occupy([0], lambda _: None)
    use.follow(6.0)
    (ended_at_s,) = one.finished_at_s(one.store.write([1, 2, 3], 900.0))
    assert ended_at_s == pytest.approx(10.0)


def test_nothing_is_read_while_steps_stand_still() -> None:
    one = bench(limits(100.0))
    use = SampleInput(one.store, READS).occupy([0], lambda _: None)
    use.follow(1.0)
    one.at(10.0, use.pause)
    one.at(20.0, lambda: use.follow(float("inf")))
    one.at(30.0, lambda: use.follow(2.0))
    one.environment.run(until=40.0)
    one.store.finish()
    load = one.log.tables()["storage_load"]
    assert (load["read_bytes_per_s"] * load["duration_s"]).sum() == pytest.approx(600.0 + 300.0)


def test_nothing_hangs_when_a_job_gives_up_in_the_moment_it_is_told() -> None:
    one = bench(limits(100.0))
    use = SampleInput(one.store, READS).occupy([0], lambda _: use.release())
    use.follow(1.0)
    one.at(1.0, lambda: one.store.write(range(1, 12), 100.0))
    one.environment.run()
    assert one.environment.now < 10.0
