"""Backups: when copies are taken, what they cost, and that tests read them back."""

import pytest
import simpy

from dcsim.catalog.store import StoreScope
from dcsim.errors import InfeasibleError
from dcsim.formulas.storage import StoreLimits
from dcsim.metrics.columns import floats
from dcsim.sim.storage.backups import Backups
from dcsim.sim.storage.storage_log import StorageLog
from dcsim.sim.storage.store import Store
from dcsim.spec.storage import BackupSpec, StoreDeployment
from tests.sim.storage.stores import limits

DAY_S = 86_400.0


class Pair:
    """A store and the one that it is copied to."""

    def __init__(self, source: StoreLimits, target: StoreLimits, **spec: object) -> None:
        self.environment, self.log = simpy.Environment(), StorageLog()
        self.source, self.target = (
            Store(self.environment, StoreDeployment(name, StoreScope.CLUSTER, one), self.log, num_nodes=4)
            for name, one in (("hot", source), ("cold", target))
        )
        backup = BackupSpec.model_validate({"store": "cold", **spec})
        self.backups = Backups(self.environment, self.source, self.target, backup, num_cluster_nodes=4)


def test_a_copy_takes_as_long_as_the_slower_store_and_replaces_the_one_before() -> None:
    pair = Pair(limits(1e9), limits(1e8), every="1 d")
    pair.source.reserve(1e12)
    pair.environment.run(until=3 * DAY_S)
    assert pair.backups.num_copies == 2
    assert pair.target.used_bytes == 1e12
    operations = pair.log.tables()["storage_operations"]
    ends = floats(operations, "finished_at_s")[operations["store"] == "cold"]
    assert ends == pytest.approx([DAY_S + 1e4, 2 * DAY_S + 2e4])


def test_increments_move_what_has_changed() -> None:
    pair = Pair(limits(1e9), limits(1e9), every="1 d", changed="10 %")
    pair.source.reserve(1e12)
    pair.environment.run(until=1.5 * DAY_S)
    operations = pair.log.tables()["storage_operations"]
    assert floats(operations, "num_bytes") == pytest.approx([1e11, 1e11])


def test_restore_tests_read_the_last_copy() -> None:
    pair = Pair(limits(1e9), limits(1e9), every="1 d", restore_test="36 h")
    pair.source.reserve(1e12)
    pair.environment.run(until=4 * DAY_S)
    assert pair.backups.num_tests == 2
    labels = pair.log.tables()["storage_operations"]["label"].tolist()
    assert labels.count("restore test") == 2


def test_copies_that_take_longer_than_the_time_between_them_fall_behind_and_hang_nothing() -> None:
    pair = Pair(limits(1e9), limits(1e6), every="1 h")
    pair.source.reserve(1e12)
    pair.environment.run(until=30 * DAY_S)
    assert pair.backups.num_copies == 2  # 11.6 days each


def test_an_empty_store_is_not_copied() -> None:
    pair = Pair(limits(1e9), limits(1e9), every="1 d")
    pair.environment.run(until=3 * DAY_S)
    assert pair.backups.num_copies == 0


def test_a_target_without_room_is_refused() -> None:
    pair = Pair(limits(1e9), limits(1e9, capacity_bytes=5e11), every="1 d")
    pair.source.reserve(1e12)
    with pytest.raises(InfeasibleError, match="backup of 1 TB does not fit store cold"):
        pair.environment.run(until=2 * DAY_S)
