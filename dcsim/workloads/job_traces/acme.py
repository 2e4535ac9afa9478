"""Acme job traces (Seren and Kalos)."""

from __future__ import annotations

from pathlib import Path

from dcsim.workloads.job_table import JobColumns, csv_job_trace
from dcsim.workloads.job_trace import JobTrace, JobTraceFormat
from dcsim.workloads.recorded_header import header_of
from dcsim.workloads.trace_format import TimeUnit

_SIGNATURE = {"job_id", "gpu_num", "submit_time", "queue"}
_SHORT_SIGNATURE = {"job_id", "gpu_num", "submit_time", "duration_s", "queue_s"}  # as on Hugging Face


class Acme(JobTraceFormat):
    """The format of trace_seren.csv and trace_kalos.csv (InternLM/AcmeTrace, CC-BY-4.0).

    Hu et al., "Characterization of Large Language Model Development in the Datacenter", NSDI 2024. Times
    have an offset from UTC. The queue of a job is its workload type.
    """

    @classmethod
    def recognizes(cls, head: bytes) -> bool:
        """By its header; Helios has a virtual cluster besides."""
        names = set(header_of(head))
        return (names >= _SIGNATURE or names >= _SHORT_SIGNATURE) and "vc" not in names

    def read(self, path: Path) -> JobTrace:
        """Read the file."""
        names = set(header_of(path))
        columns = JobColumns(
            submitted="submit_time",
            duration="duration" if "duration" in names else "duration_s",
            num_accelerators="gpu_num",
            cores="cpu_num" if "cpu_num" in names else "",
            queue="type" if "type" in names else "",
            user="user" if "user" in names else "",
            status="state" if "state" in names else "",
            time_unit=TimeUnit.TIMESTAMP,
        )
        return csv_job_trace(path, columns, keeps_cpu_jobs=self.keeps_cpu_jobs)
