"""How fast a node's processors prepare the samples that a training job reads."""

from __future__ import annotations

from dcsim.catalog.accelerator import Accelerator
from dcsim.catalog.loader import load_entry
from dcsim.catalog.node import Node
from dcsim.spec.training.job import Dataset


def num_cores(node: Node) -> int:
    """Cores of all processors of a node."""
    cpu = load_entry("accelerators", node.cpu)
    assert isinstance(cpu, Accelerator)
    return node.num_cpus * cpu.num_compute_units


def prepared_bytes_per_s(dataset: Dataset, node: Node) -> float | None:
    """Rate of one node: as given, or that of a core for each of its cores; None without a limit."""
    if dataset.core_preprocessing_bytes_per_s is None:
        return dataset.preprocessing_bytes_per_s
    return dataset.core_preprocessing_bytes_per_s * num_cores(node)
