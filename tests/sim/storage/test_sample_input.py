"""Samples of a job: a stream beside checkpoints, and what arrives of it."""

import pytest

from dcsim.sim.storage.sample_input import SampleInput
from dcsim.spec.dataset_reads import DatasetReads
from tests.sim.storage.stores import bench, limits

READS = DatasetReads("disk", wanted_bytes_per_s=60.0, available_bytes_per_s=100.0)


def test_samples_that_fit_arrive_as_wanted() -> None:
    one = bench(limits(100.0))
    samples = SampleInput(one.store, READS)
    stream = samples.occupy(range(4), lambda _: None)
    one.environment.run(until=1.0)
    assert samples.bytes_per_s(stream.share_frac) == pytest.approx(60.0)


def test_another_jobs_checkpoint_slows_them_down_until_it_is_written() -> None:
    one = bench(limits(100.0))
    told: list[float] = []
    samples = SampleInput(one.store, READS)
    samples.occupy(range(4), told.append)
    one.at(1.0, lambda: one.store.write(range(4, 12), 1000.0))
    one.environment.run(until=60.0)
    assert [samples.bytes_per_s(share) for share in told] == pytest.approx([100.0 / 3, 60.0])


def test_nothing_hangs_when_a_job_gives_up_in_the_moment_it_is_told() -> None:
    one = bench(limits(100.0))
    streams = []
    samples = SampleInput(one.store, READS)
    streams.append(samples.occupy([0], lambda _: streams[0].release()))
    one.at(1.0, lambda: one.store.write(range(1, 12), 100.0))
    one.environment.run()
    assert one.environment.now < 10.0
