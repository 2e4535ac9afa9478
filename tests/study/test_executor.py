import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dcsim.errors import InfeasibleError, SimulationError
from dcsim.study.executor import AdaptiveExecutor, ProcessExecutor, SerialExecutor, num_usable_processors
from tests.study import tasks_for_workers as tasks


def ignore(fraction: float) -> None:
    pass


@pytest.mark.parametrize("executor", [SerialExecutor(), ProcessExecutor(2)])
def test_outcomes_come_in_the_order_of_the_tasks(executor):
    assert executor.map(tasks.square, range(5), ignore) == [0, 1, 4, 9, 16]


@pytest.mark.parametrize("executor", [SerialExecutor(), ProcessExecutor(2)])
def test_progress_never_falls_and_ends_at_one(executor):
    seen = []
    executor.map(tasks.square, range(4), seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1.0 if isinstance(executor, ProcessExecutor) else 0.875)


def test_processes_other_than_ours_do_the_work():
    assert os.getpid() not in ProcessExecutor(1).map(tasks.process_id, [0, 1], ignore)


def test_arrays_cross_the_process_boundary_unchanged():
    (found,) = ProcessExecutor(1).map(tasks.columns, [100_000], ignore)
    np.testing.assert_array_equal(found["big"], np.arange(100_000, dtype=np.float64))
    assert len(found["empty"]) == 0


@pytest.mark.parametrize("executor", [SerialExecutor(), ProcessExecutor(1)])
def test_an_error_of_dcsim_is_raised_to_the_caller(executor):
    with pytest.raises(InfeasibleError, match="task 0 cannot be"):
        executor.map(tasks.infeasible, [0], ignore)


def test_a_killed_worker_is_replaced_and_its_task_done(tmp_path: Path):
    markers = [tmp_path / "a", tmp_path / "b"]
    assert ProcessExecutor(1).map(tasks.killed_once, markers, ignore) == ["done", "done"]


def test_a_task_that_always_kills_its_worker_is_given_up():
    with pytest.raises(SimulationError, match="killed 3 times"):
        ProcessExecutor(1).map(tasks.always_killed, [0], ignore)


def test_a_worker_that_ends_by_itself_is_not_replaced():
    with pytest.raises(SimulationError, match="exit code 3"):
        ProcessExecutor(1).map(tasks.broken, [0], ignore)


def test_an_interrupt_ends_the_workers(tmp_path: Path):
    def interrupt(fraction: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ProcessExecutor(1).map(tasks.endless, [tmp_path], interrupt)
    (worker,) = tmp_path.iterdir()
    with pytest.raises(ProcessLookupError):
        os.kill(int(worker.name), 0)


def test_a_script_without_a_main_guard_is_not_run_again_by_the_workers(tmp_path: Path):
    script = tmp_path / "script.py"
    script.write_text(
        "from dcsim.study.executor import ProcessExecutor\n"
        "from tests.study.tasks_for_workers import square\n"
        "print('begin', flush=True)\n"
        "print(ProcessExecutor(2).map(square, [1, 2, 3], lambda fraction: None))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.split("\n") == ["begin", "[1, 4, 9]", ""]


def test_at_least_one_processor_is_usable():
    assert num_usable_processors() >= 1


def test_short_work_stays_in_this_process():
    assert set(AdaptiveExecutor(2).map(tasks.process_id, [0, 1, 2], ignore)) == {os.getpid()}


def test_work_that_turns_out_long_goes_to_workers(monkeypatch):
    seconds = iter(range(0, 10_000, 100))
    monkeypatch.setattr("dcsim.study.executor.time.monotonic", lambda: next(seconds))
    found = AdaptiveExecutor(2).map(tasks.process_id_after_progress, [0, 1, 2], ignore)
    assert os.getpid() not in found
