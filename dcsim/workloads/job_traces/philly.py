"""Philly job traces: Microsoft's log, and the table that studies make of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from dcsim.errors import Problem, ScenarioError
from dcsim.workloads.job_table import JobColumns, csv_job_trace
from dcsim.workloads.job_trace import JobTrace, JobTraceFormat
from dcsim.workloads.packed_file import unpacked_content
from dcsim.workloads.recorded_header import header_of
from dcsim.workloads.trace_format import TimeUnit

_SIGNATURE = {"timestamp", "duration", "num_gpus", "gpu_time", "cluster"}
_LOG_KEYS = (b'"jobid"', b'"attempts"')


class Philly(JobTraceFormat):
    """The log cluster_job_log (msr-fiddle/philly-traces, CC-BY-4.0), or a table made of it.

    Jeon et al., "Analysis of Large-Scale Multi-Tenant GPU Clusters for DNN Training Workloads", USENIX ATC
    2019. The queue of a job is its virtual cluster. Of the log, a job's run time is that of all its
    attempts, and jobs that never started are left out. The table is the one that Sia's artifact ships.
    """

    @classmethod
    def recognizes(cls, head: bytes) -> bool:
        """By the log's keys or the table's header."""
        return all(key in head for key in _LOG_KEYS) or set(header_of(head)) >= _SIGNATURE

    def read(self, path: Path) -> JobTrace:
        """Read the file."""
        if unpacked_content(path, 64).lstrip().startswith(b"["):
            return _trace_of_log(path)
        columns = JobColumns(
            submitted="timestamp",
            duration="duration",
            num_accelerators="num_gpus",
            queue="cluster",
            user="cluster",
            time_unit=TimeUnit.TIMESTAMP,
        )
        return csv_job_trace(path, columns, keeps_cpu_jobs=self.keeps_cpu_jobs)


def _trace_of_log(path: Path) -> JobTrace:
    try:
        jobs = json.loads(unpacked_content(path))
    except ValueError as error:
        raise ScenarioError(Problem(f"is not JSON: {error}", file=str(path))) from error
    rows = sorted(_rows(path, jobs), key=lambda row: row[0])
    if not rows:
        raise ScenarioError(Problem("has no job that started", file=str(path)))
    submitted, duration, number, queue, user, status = zip(*rows, strict=True)
    none, unlimited = np.zeros(len(rows)), ((),) * len(rows)
    return JobTrace(
        submitted_at_s=np.array(submitted) - submitted[0],
        duration_s=np.array(duration),
        num_accelerators=np.array(number, dtype=float),
        cores=none,
        memory_bytes=none,
        estimated_s=np.array(duration),
        priority=none,
        queue=queue,
        user=user,
        models=unlimited,
        status=status,
    )


def _rows(path: Path, jobs: Any) -> Iterator[tuple[float, float, int, str, str, str]]:
    for job in jobs if isinstance(jobs, list) else [jobs]:
        name = job.get("jobid", "?") if isinstance(job, dict) else "?"
        try:
            attempts = [a for a in job["attempts"] if a["start_time"] and a["end_time"]]
            if not attempts:
                continue
            number = sum(len(node["gpus"]) for node in attempts[0]["detail"])
            duration_s = sum(_at_s(a["end_time"]) - _at_s(a["start_time"]) for a in attempts)
            row = (_at_s(job["submitted_time"]), duration_s, number, job["vc"], job["user"], job["status"])
        except (KeyError, TypeError, ValueError) as error:
            message = f"job '{name}' cannot be read: {error!r}"
            raise ScenarioError(Problem(message, file=str(path))) from error
        if duration_s < 0:
            message = f"job '{name}' ends before it starts"
            raise ScenarioError(Problem(message, file=str(path), value=f"{duration_s:g} s"))
        yield row


def _at_s(text: str) -> float:
    """Seconds since 1970 of a time such as 2017-10-07 01:11:39."""
    return float(np.datetime64(text, "s").astype(np.int64))
