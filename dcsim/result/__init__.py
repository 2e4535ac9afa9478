"""Results: scenario, tables, summary and provenance in one object that can be saved and opened again."""

from dcsim.result.folder import check_output_file, check_output_folder
from dcsim.result.result import Result, RunRecord, open_result
from dcsim.result.view import Estimate, SummaryView

__all__ = [
    "Estimate",
    "Result",
    "RunRecord",
    "SummaryView",
    "check_output_file",
    "check_output_folder",
    "open_result",
]
