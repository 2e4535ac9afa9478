"""Helios job traces (Venus, Earth, Saturn, Uranus)."""

from __future__ import annotations

from pathlib import Path

from dcsim.workloads.job_table import JobColumns, csv_job_trace
from dcsim.workloads.job_trace import JobTrace, JobTraceFormat
from dcsim.workloads.recorded_header import header_of
from dcsim.workloads.trace_format import TimeUnit

_SIGNATURE = {"job_id", "user", "vc", "gpu_num", "cpu_num", "state", "submit_time", "duration"}


class Helios(JobTraceFormat):
    """The format of cluster_log.csv (S-Lab-System-Group/HeliosData, CC-BY-4.0).

    Hu et al., "Characterization and Prediction of Deep Learning Workloads in Large-Scale GPU Datacenters",
    SC'21 (arXiv:2109.01313). The queue of a job is its virtual cluster.
    """

    @classmethod
    def recognizes(cls, head: bytes) -> bool:
        """By its header."""
        return set(header_of(head)) >= _SIGNATURE

    def read(self, path: Path) -> JobTrace:
        """Read the file."""
        columns = JobColumns(
            submitted="submit_time",
            duration="duration",
            num_accelerators="gpu_num",
            cores="cpu_num",
            queue="vc",
            user="user",
            status="state",
            time_unit=TimeUnit.TIMESTAMP,
        )
        return csv_job_trace(path, columns, keeps_cpu_jobs=self.keeps_cpu_jobs)
