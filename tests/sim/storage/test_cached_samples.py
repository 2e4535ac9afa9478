"""What caches find of a data set, epoch by epoch on the clock, and what a replaced node takes along."""

from __future__ import annotations

from pathlib import Path

import pytest

import dcsim
from dcsim.sim.simulation import simulate
from dcsim.tables import RunTables

BYTES_PER_STEP = 128 * 8192 * 10e3
RATE = 1e9
TEXT = """
name: cached
cluster:
  node: dgx-h100
  num_nodes: 4
  storage:
    pfs:
      base: {base: lustre-flash, read_bandwidth: 1 GB/s}
      cache: {base: nvme-gen4-7.68tb, num_servers: 1, capacity: 125 GB}
    saves: {base: {base: lustre-flash, read_bandwidth: 1 PB/s, write_bandwidth: 1 PB/s}}
training:
  job:
    model: llama-3.1-8b
    num_nodes: 4
    parallelism: {tensor: 8, data: 4}
    batch: {sequences: 128, micro: 1, tokens: 8192}
    dataset_tokens: 1e+8
    epochs: 3
    dataset: {store: pfs, bytes_per_token: 10 kB}
reliability: {initialization: 0 s}
"""


def run(overrides: dict[str, object] | None = None) -> RunTables:
    return simulate(dcsim.load(TEXT, overrides=overrides or {}), 0)


def hit_frac_at(tables: RunTables, instant_s: float) -> float:
    """Share of the bytes read at an instant that the cache gives."""
    load = tables.cluster["storage_load"]
    started_at_s = load["started_at_s"]
    is_now = (started_at_s <= instant_s) & (instant_s < started_at_s + load["duration_s"])
    names = load["store"].astype(str)
    found, missed = (
        float(load["read_bytes_per_s"][is_now & (names == name)].sum()) for name in ("pfs.cache", "pfs")
    )
    return found / (found + missed)


def test_the_first_epoch_finds_nothing_and_later_ones_what_the_caches_hold() -> None:
    """Caches of half the data set: 96 steps (the first whole one after 95.4) at 1 GB/s, 191 at twice that."""
    tables = run()
    assert tables.ended_at_s == pytest.approx(96 * BYTES_PER_STEP / RATE + 191 * BYTES_PER_STEP / (2 * RATE))


def test_a_data_set_that_is_shuffled_is_new_to_the_caches_in_every_epoch() -> None:
    tables = run({"training.job.dataset.reshuffle": True})
    spans = tables.cluster["training_spans"]
    is_shuffle = spans["kind"].astype(str) == "reshuffle"
    stepped_s = float(spans["duration_s"][~is_shuffle].sum())
    assert stepped_s == pytest.approx(287 * BYTES_PER_STEP / RATE)


def test_a_replaced_node_comes_back_with_an_empty_cache_which_fills_by_the_end_of_the_epoch(
    tmp_path: Path,
) -> None:
    """Five caches hold 5/8 of the data set, four 4/8."""
    path = tmp_path / "failures.csv"
    path.write_text("at_s,node\n600.0,0\n", encoding="utf-8")
    cause = {"component": "node", "times": {"policy": "trace", "path": str(path)}}
    tables = run(
        {
            "cluster.num_nodes": 5,
            "cluster.storage.pfs.base.read_bandwidth": "100 GB/s",
            "training.job.checkpoint": {"store": "saves", "interval": "100 s", "barrier": "0 s"},
            "training.job.epochs": 8,
            "reliability": {
                "preset": {"base": "none", "causes": {"hardware": cause}},
                "spares": 1,
                **dict.fromkeys(("detection", "diagnosis", "swap", "initialization"), "1 s"),
            },
        }
    )
    assert hit_frac_at(tables, 200.0) == 0.0
    assert hit_frac_at(tables, 590.0) == pytest.approx(5 / 8)
    assert hit_frac_at(tables, 610.0) == pytest.approx(4 / 8)
    assert hit_frac_at(tables, tables.ended_at_s - 10.0) == pytest.approx(5 / 8)
