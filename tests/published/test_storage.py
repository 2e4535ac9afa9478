"""Published figures of storage and checkpoints. None of them was fitted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import simpy

from benchmarks.accuracy.storage import held_out_predictions, own_predictions, read_rows
from dcsim.catalog.loader import load_entry
from dcsim.catalog.model import Model
from dcsim.formulas.checkpoint import (
    SavedBytes,
    asynchronous_stall_s,
    copy_to_host_s,
    num_checkpoint_bytes,
    synchronous_stall_s,
)
from dcsim.formulas.storage import Access, transfer_s
from dcsim.formulas.transformer import num_parameters
from dcsim.sim.storage.storage_log import StorageLog
from dcsim.sim.storage.store import Store
from dcsim.spec.storage import StoreSpec, resolve_store
from dcsim.units import BYTES_PER_GIB

SHARED = Path(os.environ.get("DCSIM_SHARED", Path(__file__).parents[2].parent / "shared"))
MLPERF = SHARED / "truth" / "storage.csv"
BLOOM_PARAMETERS = 176_247_271_424  # arXiv:2211.05100, table 3
needs_mlperf = pytest.mark.skipif(not MLPERF.exists(), reason="the measured results are not at hand")


@pytest.mark.parametrize(
    ("name", "published_gib"), [("llama-3.1-8b", 105), ("llama-3.1-70b", 912), ("llama-3.1-405b", 5290)]
)
def test_checkpoints_of_llama_3_are_as_large_as_mlperf_storage_says(name: str, published_gib: float) -> None:
    """MLPerf Storage v2.0, submission guidelines, table 2: "GB" that are GiB, within 1 %."""
    model = load_entry("models", name)
    assert isinstance(model, Model)
    size = num_checkpoint_bytes(num_parameters(model.shape), SavedBytes())
    assert size / BYTES_PER_GIB == pytest.approx(published_gib, rel=0.01)


def test_bloom_wrote_its_checkpoints_as_large_and_as_fast_as_said() -> None:
    """stas00/ml-engineering: 2.3 TB (bf16 weights 329 GB) in 40 s by 384 writers; sizes are GiB, within 1 %.

    The sizes are predictions; the bandwidth of the catalogue's entry is these 40 s.
    """
    size = num_checkpoint_bytes(BLOOM_PARAMETERS, SavedBytes())
    assert size / BYTES_PER_GIB == pytest.approx(2300, rel=0.01)
    assert num_checkpoint_bytes(BLOOM_PARAMETERS, SavedBytes(2, 0, 0)) / BYTES_PER_GIB == pytest.approx(
        329, rel=0.01
    )
    store = resolve_store(StoreSpec.model_validate("gpfs-jean-zay"), "gpfs")
    assert transfer_s(store.limits.writing, Access(2.3e12, 384, 48)) == pytest.approx(40.0, rel=0.01)


def test_an_asynchronous_checkpoint_of_7b_stalls_no_longer_than_measured() -> None:
    """pytorch.org/blog/reducing-checkpointing-times: 148.8 s become 6.3 s, 23.6 times less.

    The number of GPUs is not stated. Eight copy 84 GB (weights and moments in fp32) in 0.2 s to pinned memory
    and in 2 s to pageable memory: a bound from below. The 6.3 s hold planning and collectives as well.
    """
    num_bytes = num_checkpoint_bytes(7e9, SavedBytes(4, 0, 8))
    copy_s = copy_to_host_s(num_bytes / 8, 55e9)
    stall_s = asynchronous_stall_s(copy_s, 0.0, drain_s=148.8, interval_s=1800.0)
    assert stall_s <= 6.3
    assert synchronous_stall_s(148.8, 0.0) / stall_s >= 148.8 / 6.3


def test_the_store_of_llama_3_takes_its_checkpoints_in_seconds() -> None:
    """arXiv:2407.21783, section 3.3.1: up to 4 GB per GPU to storage that sustains 2 TB/s, on the clock."""
    environment = simpy.Environment()
    store = Store(
        environment,
        resolve_store(StoreSpec.model_validate("tectonic-llama3"), "tectonic"),
        StorageLog(),
        num_nodes=2048,
    )
    write = store.write(range(2048), 16_384 * 4e9, num_files=16_384)
    environment.run(until=write)
    assert environment.now == pytest.approx(16_384 * 4e9 / 2e12, rel=1e-3)


@needs_mlperf
def test_plans_for_measured_stores_feed_as_many_accelerators_as_were_shown() -> None:
    """MLPerf Storage v1.0: within 10 % or one accelerator for 19 rows of 20 at least."""
    predictions = own_predictions(read_rows(MLPERF))
    assert len(predictions) == 95
    assert sum(one.is_close for one in predictions) >= 0.95 * len(predictions)


@needs_mlperf
def test_a_plan_made_from_one_accelerator_holds_for_a_faster_one_where_the_store_is_the_limit() -> None:
    """unet3d reads most per second and host: H100 counts from A100 rates, median error within 10 %."""
    held_out = [one for one in held_out_predictions(read_rows(MLPERF)) if one.row.workload == "unet3d"]
    errors = sorted(abs(one.error_frac) for one in held_out)
    assert errors[len(errors) // 2] <= 0.10
