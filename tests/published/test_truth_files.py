"""The shipped truth files: readable, every row a scenario, splits and errors as stated."""

from pathlib import Path

import pytest

from benchmarks.accuracy import closed_loop, vllm_015
from dcsim.calibration.validate.errors_table import parse_bound
from dcsim.calibration.validate.published import validate_published
from dcsim.calibration.validate.published_row import scenario_of
from dcsim.calibration.validate.truth_file import Split, TruthRow, read_truth_file

FOLDER = Path(__file__).parent
FILES = ("vllm_0.15.csv", "closed_loop.csv", "disaggregated.csv", "vllm_runs.csv")
EVERY = 40  # rows of a long file that are looked at


def rows(name: str) -> list[TruthRow]:
    return read_truth_file(FOLDER / name)


@pytest.mark.parametrize("name", FILES)
def test_rows_are_scenarios_that_name_their_source_model_and_device(name: str) -> None:
    for row in rows(name)[::EVERY]:
        assert "run" in scenario_of(row).serving
        assert row.source
        assert {group.partition(":")[0] for group in row.groups} >= {"model", "device"}


def test_engines_were_fitted_on_every_fifth_vllm_experiment() -> None:
    in_order = rows("vllm_0.15.csv")
    fitted = [row for row in in_order if row.split is Split.FIT]
    assert fitted == in_order[::5]
    assert {row.run.split()[-1] for row in fitted} == vllm_015.FIT_EXPERIMENTS


def test_closed_loop_rows_fitted_on_are_of_one_device_and_one_model_for_each_engine() -> None:
    fitted = [row for row in rows("closed_loop.csv") if row.split is Split.FIT]
    assert 0 < len(fitted) < 0.05 * len(rows("closed_loop.csv"))
    assert all("device:b200" in row.groups for row in fitted)
    pairs = {
        tuple(group for group in row.groups if group.startswith(("engine:", "model:"))) for row in fitted
    }
    assert len(pairs) == 3


def test_prompts_of_the_open_loop_runs_are_cached_as_a_whole() -> None:
    for row in rows("vllm_0.15.csv"):
        traffic = scenario_of(row).serving["run"].traffic
        assert traffic.shared_prefix is not None
        assert traffic.shared_prefix.num_variants in (23, 44, 45)


def test_expert_parallel_rows_with_tp_times_ep_as_tp_size_are_read_right() -> None:
    line = {"tp_size": "64", "moe_tp_size": "8", "moe_ep_size": "8"}
    assert closed_loop.parallelism(line) == {"tensor": 8, "expert": 8}
    line = {"tp_size": "4", "moe_tp_size": "1", "moe_ep_size": "4"}
    assert closed_loop.parallelism(line) == {"tensor": 4, "expert": 4}
    line = {"tp_size": "8", "moe_tp_size": "8", "moe_ep_size": "1"}
    assert closed_loop.parallelism(line) == {"tensor": 8}


def test_all_disaggregated_rows_are_held_out_and_have_prefill_replicas() -> None:
    found = rows("disaggregated.csv")
    assert len(found) == 38
    assert {row.split for row in found} == {Split.HELD_OUT}
    assert all(scenario_of(row).serving["run"].prefill is not None for row in found)


@pytest.mark.slow
def test_held_out_disaggregated_runs_are_within_their_bounds() -> None:
    """TTFT is short by a third: what routers and two servers take is not modelled."""
    result = validate_published([FOLDER / "disaggregated.csv"], split="held_out")
    assert result.outside([parse_bound(bound) for bound in ("e2e_s.mean=10", "tpot_s.mean=8")]) == []


@pytest.mark.slow
def test_held_out_open_loop_runs_are_within_their_bounds() -> None:
    result = validate_published([FOLDER / "vllm_0.15.csv"], split="held_out")
    bounds = ("e2e_s.mean=5", "e2e_s.p99=12", "ttft_s.mean=10", "ttft_s.p99=20", "itl_s.mean=5")
    assert result.outside([parse_bound(bound) for bound in bounds]) == []
