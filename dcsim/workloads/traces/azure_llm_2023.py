"""The Azure LLM inference traces: TIMESTAMP,ContextTokens,GeneratedTokens."""

from __future__ import annotations

from pathlib import Path

from dcsim.workloads.csv_trace import csv_trace
from dcsim.workloads.trace_format import TimeUnit, Trace, TraceFormat

TIME, PROMPT, OUTPUT = COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
_HEADER = ",".join(COLUMNS).encode()


class AzureLlm2023(TraceFormat):
    """The format of Azure's LLM inference traces of 2023 and 2024 (AzurePublicDataset, CC-BY-4.0).

    Patel et al., "Splitwise: Efficient generative LLM inference using phase splitting", ISCA 2024. Timestamps
    have seven fractional digits, 100 ns each, and in 2023 no time zone.
    """

    @classmethod
    def recognizes(cls, head: bytes) -> bool:
        """By its header."""
        lines = head.removeprefix(b"\xef\xbb\xbf").splitlines()
        return bool(lines) and lines[0].strip() == _HEADER

    def read(self, path: Path) -> Trace:
        """Read the file."""
        return csv_trace(path, COLUMNS, TimeUnit.TIMESTAMP)
