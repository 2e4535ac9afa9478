"""What was lent, from tables whose numbers a hand can check."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.metrics.lending import lending_figures, lent_accelerator_s
from dcsim.metrics.window import Window
from dcsim.tables import Column, Table
from dcsim.tables.lending import LENDING, REPLICA_PAUSES

NAN = float("nan")


def table(columns: dict[str, Column], *rows: tuple[object, ...]) -> Table:
    values = zip(*rows, strict=True)
    named = zip(columns.items(), values, strict=True)
    return Table({name: np.array(list(found), column.dtype) for (name, column), found in named})


TABLES = {
    "lending": table(
        dict(LENDING),
        (3, "chat", 8, 0.0, 3600.0, "taken_back", 9),  # ends where the window begins
        (1, "chat", 8, 1800.0, 5400.0, "taken_back", 2),  # half an hour in the window
        (2, "chat", 6, 9000.0, 9900.0, "out_of_service", 0),  # a quarter of an hour
        (2, "code", 2, 9000.0, 9900.0, "out_of_service", 0),  # the same node
        (2, "chat", 6, 9900.0, NAN, "", 0),  # another, and on
        (2, "code", 2, 9900.0, NAN, "", 0),
    ),
    "replica_pauses": table(
        dict(REPLICA_PAUSES),
        ("chat", 5, 1790.0, 1800.0, 5400.0, 5460.0),
        ("chat", 5, 6000.0, NAN, 6010.0, 6010.0),  # wanted back before it had finished
        ("chat", 5, 8980.0, 9000.0, NAN, NAN),
        ("code", 0, 8000.0, 8000.0, NAN, NAN),
    ),
}
WINDOW = Window(3600.0, 10_800.0)


def test_loans_count_with_the_time_that_lies_in_the_window() -> None:
    figures = lending_figures(TABLES, {"chat": 6}, WINDOW)
    assert figures["node_h"] == pytest.approx(1.0)
    assert figures["num_nodes"] == {"mean": pytest.approx(0.5)}
    assert (figures["num_loans"], figures["num_take_backs"], figures["num_preempted"]) == (2, 2, 11)


def test_each_served_model_lends_the_accelerators_that_it_had() -> None:
    assert lent_accelerator_s(TABLES, "chat", WINDOW) == 8 * 1800.0 + 6 * 1800.0
    assert lent_accelerator_s(TABLES, "code", WINDOW) == 2 * 1800.0
    assert lent_accelerator_s({}, "chat", WINDOW) == 0.0


def test_replicas_are_on_until_they_have_finished_and_from_when_they_serve_again() -> None:
    chat = lending_figures(TABLES, {"chat": 6}, WINDOW)["by_workload"]["chat"]  # type: ignore[index,call-overload]
    off_s = (5460 - 3600) + (10_800 - 9000)
    assert chat["num_replicas_on"]["mean"] == pytest.approx(6 - off_s / 7200)
    assert chat["num_pauses"] == 2
    assert chat["finish_s"] == pytest.approx(20.0)
    assert chat["return_s"] is None
