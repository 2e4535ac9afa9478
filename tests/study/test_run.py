import numpy as np
import pytest

from dcsim.errors import InfeasibleError, ScenarioError
from dcsim.result.tables import KINDS
from dcsim.spec.loader import load
from dcsim.study.executor import ProcessExecutor, SerialExecutor
from dcsim.study.run import run, simulate_task
from tests.study.scenarios_for_tests import CLUSTER, tiny


def ignore(fraction: float) -> None:
    pass


def test_the_summary_holds_numbers_intervals_and_provenance():
    result = run(tiny(replications=2), num_processes=1)
    assert list(result.summary)[:3] == ["schema", "name", "question"]
    assert {"serving", "energy", "intervals", "provenance"} <= result.summary.keys()


def test_serial_and_parallel_replications_are_the_same_bytes():
    scenario = tiny(replications=2)
    tasks = [(scenario, 0), (scenario, 1)]
    alone = SerialExecutor().map(simulate_task, tasks, ignore)
    together = ProcessExecutor(2).map(simulate_task, tasks, ignore)
    for one, other in zip(alone, together, strict=True):
        for kind, columns in KINDS.items():
            for name in columns:
                ours, theirs = getattr(one["chat"], kind)[name], getattr(other["chat"], kind)[name]
                assert ours.dtype == theirs.dtype
                np.testing.assert_array_equal(ours, theirs)


def test_the_same_seed_gives_the_same_summary_and_another_seed_another():
    texts = [run(tiny(seed=seed)).summary_text() for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


def test_replications_are_independent_repeats():
    frame = run(tiny(replications=2), num_processes=1).tables.requests
    first, second = (frame[frame.replication == number].arrived_at_s.to_numpy() for number in (0, 1))
    assert not np.array_equal(first[:10], second[:10])


def test_an_impossible_system_is_refused_before_anything_runs():
    with pytest.raises(InfeasibleError):
        run(tiny(serving__chat__model="llama-3.1-405b"))


def test_what_only_the_run_finds_wrong_is_named_with_its_file_and_line(tmp_path):
    path = tmp_path / "busy.yaml"
    path.write_text(CLUSTER.replace("rate: 12 /h", "rate: 1e12 /s"))
    line = path.read_text().splitlines().index("    rate: 1e12 /s") + 1
    with pytest.raises(ScenarioError, match=rf"busy\.yaml:{line}: jobs\.arrivals\.rate: makes about"):
        run(load(path), num_processes=1)
