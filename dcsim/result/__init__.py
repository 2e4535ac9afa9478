"""Results: scenario, tables, summary and provenance in one object that can be saved and opened again."""

from dcsim.result.document import document_text
from dcsim.result.folder import check_output_file, check_output_folder, is_result
from dcsim.result.opening import open_result, saved_scenario_folder
from dcsim.result.result import SCENARIO_FILE, Result, RunRecord
from dcsim.result.view import Estimate, SummaryView

__all__ = [
    "SCENARIO_FILE",
    "Estimate",
    "Result",
    "RunRecord",
    "SummaryView",
    "check_output_file",
    "check_output_folder",
    "document_text",
    "is_result",
    "open_result",
    "saved_scenario_folder",
]
