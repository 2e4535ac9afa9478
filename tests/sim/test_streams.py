import subprocess
import sys

import numpy as np

from dcsim.sim.streams import Streams


def draws(streams, name, num=5):
    return streams[name].random(num)


def test_a_stream_depends_on_nothing_but_seed_replication_and_name():
    alone = draws(Streams(1, 0), "chat.arrivals")
    later = Streams(1, 0)
    for other in ("chat.router", "code.arrivals"):
        draws(later, other, 1000)
    np.testing.assert_array_equal(draws(later, "chat.arrivals"), alone)


def test_seeds_replications_and_names_give_different_streams():
    keys = [(1, 0, "a"), (2, 0, "a"), (1, 1, "a"), (1, 0, "b"), (1, 0, "")]
    firsts = {float(draws(Streams(seed, replication), name, 1)[0]) for seed, replication, name in keys}
    assert len(firsts) == len(keys)


def test_streams_are_independent():
    num = 100_000
    streams = Streams(7, 3)
    names = [f"serving.{number}" for number in range(8)]
    correlation = np.corrcoef([draws(streams, name, num) for name in names])
    assert np.max(np.abs(correlation - np.eye(8))) < 4.5 / np.sqrt(num)


def test_asking_twice_goes_on_with_the_same_generator():
    streams = Streams(1, 0)
    assert streams["a"] is streams["a"]


def test_the_numbers_are_the_same_in_another_process_with_another_hash_seed():
    code = "from dcsim.sim.streams import Streams; print(Streams(1, 0)['chat.arrivals'].integers(2**62))"
    command = [sys.executable, "-c", code]
    printed = [
        subprocess.run(
            command, env={"PYTHONHASHSEED": seed}, check=True, capture_output=True, text=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert int(printed[0]) == int(printed[1]) == int(Streams(1, 0)["chat.arrivals"].integers(2**62))
