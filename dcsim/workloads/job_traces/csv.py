"""CSV job traces: a header line that names the columns."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from dcsim.workloads.job_table import JobColumns, csv_job_trace
from dcsim.workloads.job_trace import JobTrace, JobTraceFormat
from dcsim.workloads.trace_format import TimeUnit


class Csv(JobTraceFormat):
    """One job per line; the first line names the columns. Times are seconds unless said otherwise."""

    submitted_column: str = Field(default="submitted_at_s", description="Column of the submissions.")
    duration_column: str = Field(default="duration_s", description="Column of the run times, in seconds.")
    accelerators_column: str = Field(
        default="num_accelerators",
        description="Column of the accelerators: whole numbers, or a fraction of one.",
    )
    cores_column: str = Field(default="", description="Column of the host cores of the whole job.")
    memory_column: str = Field(default="", description="Column of the host memory, in bytes.")
    estimated_column: str = Field(
        default="", description="Column of the run times that the scheduler is told, in seconds."
    )
    priority_column: str = Field(default="", description="Column of the priorities; larger goes first.")
    queue_column: str = Field(default="", description="Column of the queues (tenants).")
    user_column: str = Field(default="", description="Column of the users.")
    models_column: str = Field(
        default="", description="Column of the accelerator models a job accepts, with | between them."
    )
    time_unit: TimeUnit = Field(
        default=TimeUnit.S, description="s, ms, us or ns for submissions as numbers, timestamp for dates."
    )

    def read(self, path: Path) -> JobTrace:
        """Read the file."""
        columns = JobColumns(
            submitted=self.submitted_column,
            duration=self.duration_column,
            num_accelerators=self.accelerators_column,
            cores=self.cores_column,
            memory=self.memory_column,
            estimated=self.estimated_column,
            priority=self.priority_column,
            queue=self.queue_column,
            user=self.user_column,
            models=self.models_column,
            time_unit=self.time_unit,
        )
        return csv_job_trace(path, columns, keeps_cpu_jobs=self.keeps_cpu_jobs)
