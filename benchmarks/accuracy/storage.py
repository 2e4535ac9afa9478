"""Storage against published measurements: accelerators that a store feeds, and checkpoints.

    python -m benchmarks.accuracy.storage storage.csv

Reads MLPerf Storage v1.0 results in the columns submitter, system, workload, emulated_accel, num_accelerators
and read_MB_per_s (which is MiB/s: mlcommons/storage prints the field under that heading). An accelerator is
fed if it computes for the required share of time (AU), so that it asks for batch x sample / time x AU bytes
per second; sample sizes, batches, times and AU are those of the benchmark's own workload files.

Two tables:

- *own*: the plan for a store as fast as the row says against the row's own count. It tests what an
  accelerator asks for, not the store.
- *held out*: the store is as fast as its A100 row says, the count is that of its H100 row. Nothing is fitted.
  A submitter chooses how many accelerators to show and on how many hosts, so that a row may say less than the
  store could do, most of all where the host computes much per byte (resnet50, cosmoflow).
"""

from __future__ import annotations

import argparse
import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

from dcsim.formulas.storage import AccessLimits, num_fed_clients

BYTES_PER_MIB = 2.0**20
TOLERANCE = 0.10


@dataclass(frozen=True, slots=True)
class Workload:
    """A training workload of MLPerf Storage v1.0 (mlcommons/storage, storage-conf/workload)."""

    sample_bytes: float
    samples_per_file: int
    batch_size: int
    computation_s: dict[str, float]
    required_frac: float

    def bytes_per_s(self, accelerator: str) -> float:
        """What one accelerator reads when it computes for the required share of time."""
        return self.sample_bytes * self.batch_size / self.computation_s[accelerator] * self.required_frac

    def files_per_s(self, accelerator: str) -> float:
        """Files that it opens."""
        return self.bytes_per_s(accelerator) / (self.sample_bytes * self.samples_per_file)


WORKLOADS = {
    "unet3d": Workload(146_600_628, 1, 7, {"a100": 0.636, "h100": 0.323}, 0.90),
    "cosmoflow": Workload(2_828_486, 1, 1, {"a100": 0.00551, "h100": 0.00350}, 0.70),
    "resnet50": Workload(114_660.07, 1251, 400, {"a100": 0.435, "h100": 0.224}, 0.90),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One measured result."""

    submitter: str
    system: str
    workload: str
    accelerator: str
    num_accelerators: int
    bytes_per_s: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """A count that was predicted beside the one that was measured."""

    row: Row
    num_predicted: int

    @property
    def error_frac(self) -> float:
        """Predicted over measured, less one."""
        return self.num_predicted / self.row.num_accelerators - 1.0

    @property
    def is_close(self) -> bool:
        """Within 10 %, or within one accelerator: a plan is a whole number."""
        off = abs(self.num_predicted - self.row.num_accelerators)
        return abs(self.error_frac) <= TOLERANCE + 1e-9 or off <= 1


def read_rows(path: Path) -> list[Row]:
    """The rows of a file of results."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Row(
                line["submitter"],
                re.sub(r"(_\d+clients)?(/.*)?$", "", line["system"]),
                line["workload"],
                line["emulated_accel"],
                int(line["num_accelerators"]),
                float(line["read_MB_per_s"]) * BYTES_PER_MIB,
            )
            for line in csv.DictReader(file)
        ]


def planned(row: Row, bytes_per_s: float) -> Prediction:
    """How many accelerators of a row a store of so many bytes per second feeds."""
    workload = WORKLOADS[row.workload]
    num = num_fed_clients(
        AccessLimits(bytes_per_s),
        bytes_per_client_s=workload.bytes_per_s(row.accelerator),
        files_per_client_s=workload.files_per_s(row.accelerator),
    )
    return Prediction(row, num)


def own_predictions(rows: Sequence[Row]) -> list[Prediction]:
    """Each row from its own rate."""
    return [planned(row, row.bytes_per_s) for row in rows]


def held_out_predictions(rows: Sequence[Row]) -> list[Prediction]:
    """Each H100 row from the rate of the A100 row of the same system and workload."""
    rates = {
        (row.submitter, row.system, row.workload): row.bytes_per_s
        for row in rows
        if row.accelerator == "a100"
    }
    keys = [(row, (row.submitter, row.system, row.workload)) for row in rows if row.accelerator == "h100"]
    return [planned(row, rates[key]) for row, key in keys if key in rates]


def table(title: str, predictions: Sequence[Prediction]) -> Iterator[str]:
    """Lines of a Markdown table, one workload each."""
    yield f"| {title} | rows | within 10 % or one | mean error | median error | bias | largest |"
    yield "|---|---|---|---|---|---|---|"
    for name in WORKLOADS:
        those = [one for one in predictions if one.row.workload == name]
        if those:
            errors = [one.error_frac for one in those]
            sizes = [abs(error) for error in errors]
            yield (
                f"| {name} | {len(those)} | {sum(one.is_close for one in those)} | {fmean(sizes):.1%} | "
                f"{median(sizes):.1%} | {fmean(errors):+.1%} | {max(sizes):.1%} |"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("path", type=Path, help="storage.csv")
    rows = read_rows(parser.parse_args().path)
    print(
        "\n".join([*table("own", own_predictions(rows)), "", *table("held out", held_out_predictions(rows))])
    )


if __name__ == "__main__":
    main()
