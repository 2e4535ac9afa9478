"""Alibaba's pods with shared GPUs (openb)."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from dcsim.policies.request import MILLICORES_PER_CORE
from dcsim.workloads.job_table import JobColumns, csv_job_trace
from dcsim.workloads.job_trace import JobTrace, JobTraceFormat
from dcsim.workloads.recorded_header import header_of

BYTES_PER_MIB = 2.0**20
_SIGNATURE = {"name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli", "gpu_spec", "qos", "creation_time"}


class AlibabaOpenb(JobTraceFormat):
    """The format of openb_pod_list_*.csv (alibaba/clusterdata, cluster-trace-gpu-v2023).

    Weng et al., "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient
    Descent", USENIX ATC 2023. ``gpu_milli`` is thousandths of each GPU, ``gpu_spec`` the models that a pod
    accepts. The queue of a pod is its quality-of-service class.
    """

    keeps_cpu_jobs: bool = Field(
        default=True, alias="cpu_jobs", description="Whether pods without a GPU are read too."
    )

    @classmethod
    def recognizes(cls, head: bytes) -> bool:
        """By its header."""
        return set(header_of(head)) >= _SIGNATURE

    def read(self, path: Path) -> JobTrace:
        """Read the file."""
        columns = JobColumns(
            submitted="creation_time",
            duration="",
            ended="deletion_time",
            num_accelerators="num_gpu",
            shares="gpu_milli",
            cores="cpu_milli",
            cores_unit=1.0 / MILLICORES_PER_CORE,
            memory="memory_mib",
            memory_unit_bytes=BYTES_PER_MIB,
            queue="qos",
            models="gpu_spec",
            status="pod_phase",
        )
        return csv_job_trace(path, columns, keeps_cpu_jobs=self.keeps_cpu_jobs)
