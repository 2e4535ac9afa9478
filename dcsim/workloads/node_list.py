"""Lists of nodes that differ from each other: a CSV file with a line for each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dcsim.errors import Problem, ScenarioError
from dcsim.workloads.csv_file import NUMBER, parsed_csv
from dcsim.workloads.packed_file import unpacked_content
from dcsim.workloads.recorded_columns import RowCheck

BYTES_PER_MIB = 2**20
_TEXT = "S64"
_CORES, _MEMORY, _ACCELERATORS, _MODEL = "cpu_milli", "memory_mib", "gpu", "model"
_MAX_ON_A_NODE = 1024


@dataclass(frozen=True, slots=True)
class NodeList:
    """The nodes of a file, in its order."""

    num_accelerators: npt.NDArray[np.int64]
    num_millicores: npt.NDArray[np.int64]
    memory_bytes: npt.NDArray[np.int64]
    models: tuple[str, ...]


def read_node_list(path: Path) -> NodeList:
    """A file in the columns of Alibaba's openb_node_list (cpu_milli, memory_mib, gpu, model).

    Raises ScenarioError naming the first bad line.
    """
    file = parsed_csv(path, unpacked_content(path))
    rows = file.columns({_CORES: NUMBER, _MEMORY: NUMBER, _ACCELERATORS: NUMBER, _MODEL: _TEXT})
    check = RowCheck(path, file.line_of)
    counts = {}
    for name in (_CORES, _MEMORY, _ACCELERATORS):
        values = rows[name].astype(np.float64)
        bad = ~np.isfinite(values) | (values < 0) | (values != np.floor(values))
        check.refuse(bad, f"column '{name}' must be a whole number from 0", values)
        counts[name] = values.astype(np.int64)
    too_many = counts[_ACCELERATORS] > _MAX_ON_A_NODE
    check.refuse(
        too_many, f"column '{_ACCELERATORS}' must be at most {_MAX_ON_A_NODE}", counts[_ACCELERATORS]
    )
    if not counts[_ACCELERATORS].any():
        remedy = f"Give some of them a number above 0 in column '{_ACCELERATORS}'"
        raise ScenarioError(Problem("has no node with accelerators", remedy=remedy, file=str(path)))
    models = tuple(cell.decode("utf-8", "replace") for cell in rows[_MODEL].tolist())
    return NodeList(counts[_ACCELERATORS], counts[_CORES], counts[_MEMORY] * BYTES_PER_MIB, models)
