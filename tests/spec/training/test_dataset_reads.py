"""Data sets of training jobs: what limits the arrival of samples."""

import math

import pytest

from dcsim.errors import ScenarioError
from dcsim.spec.loader import load
from dcsim.spec.training.dataset_reads import DatasetReads, resolve_dataset_reads
from dcsim.spec.training.deployment import resolve_training

TEXT = """\
name: reads
cluster:
  node: dgx-h100
  num_nodes: 4
  storage: {{disk: {store}}}
training:
  llama:
    model: llama-3.1-8b
    num_accelerators: 32
    batch: {{sequences: 128, tokens: 8192}}
    sharding: full
    recompute: full
    steps: 10
    dataset_tokens: 1000000000
    dataset: {dataset}
"""


def reads(dataset: str, store: str = "lustre-flash") -> DatasetReads:
    scenario = load(TEXT.format(dataset=dataset, store=store))
    return resolve_dataset_reads(scenario, resolve_training(scenario, "llama"))


def test_tokens_are_no_load_for_a_parallel_file_system() -> None:
    found = reads("{store: disk}")
    assert found.available_bytes_per_s == pytest.approx(80e9)
    assert found.is_fast_enough
    assert found.wanted_bytes_per_s < 1e8


def test_without_a_store_samples_are_always_there() -> None:
    assert math.isinf(reads("{}").available_bytes_per_s)


def test_preprocessing_can_be_what_limits() -> None:
    assert reads("{store: disk, preprocessing_rate: 1 MB/s}").available_bytes_per_s == pytest.approx(4e6)


def test_all_cores_of_a_node_prepare_samples() -> None:
    """A DGX H100 has two processors of 56 cores (NVIDIA's data sheet, Intel ARK)."""
    found = reads("{store: disk, preprocessing_rate_per_core: 10 kB/s}")
    assert found.available_bytes_per_s == pytest.approx(4 * 2 * 56 * 10e3)


def test_preprocessing_has_one_rate() -> None:
    with pytest.raises(ScenarioError, match="either preprocessing_rate or preprocessing_rate_per_core"):
        reads("{preprocessing_rate: 1 MB/s, preprocessing_rate_per_core: 1 MB/s}")


def test_small_samples_in_files_of_their_own_are_bound_by_metadata() -> None:
    found = reads("{store: disk, bytes_per_sample: 100 kB}")
    assert found.available_bytes_per_s == pytest.approx(100e3 * 100_000)


def test_an_object_store_streams_in_requests() -> None:
    found = reads("{store: disk}", "s3-standard")
    assert found.available_bytes_per_s == pytest.approx(4 * 64 * 2**23 / 0.1)  # 4 nodes x 64 in flight


def test_local_drives_serve_their_own_node() -> None:
    assert reads("{store: disk}", "nvme-gen4-7.68tb").available_bytes_per_s == pytest.approx(4 * 7e9)


def test_a_cache_that_holds_all_serves_all() -> None:
    found = reads("{store: disk}", "{base: hdd-20tb, cache: host-memory}")
    assert found.hit_frac == 1.0
    assert found.available_bytes_per_s == pytest.approx(4 * 300e9)


@pytest.mark.parametrize(
    ("dataset", "bound_by"),
    [
        ("{store: disk}", "bandwidth of store disk"),
        ("{store: disk, bytes_per_sample: 100 B}", "metadata rate of store disk"),
        ("{store: disk, bytes_per_sample: 100 B, samples_per_file: 1000000}", "bandwidth of store disk"),
        ("{store: disk, preprocessing_rate: 1 MB/s}", "preprocessing by the nodes' processors"),
        ("{}", ""),
    ],
)
def test_what_limits_is_named(dataset: str, bound_by: str) -> None:
    assert reads(dataset).bound_by == bound_by


def test_samples_of_one_file_are_read_together() -> None:
    whole = reads("{store: disk, bytes_per_sample: 1 MB}")
    parts = reads("{store: disk, bytes_per_sample: 1 kB, samples_per_file: 1000}")
    assert parts.available_bytes_per_s == pytest.approx(whole.available_bytes_per_s)


def test_samples_per_file_needs_the_size_of_a_sample() -> None:
    with pytest.raises(ScenarioError, match="without bytes_per_sample"):
        reads("{store: disk, samples_per_file: 10}")
