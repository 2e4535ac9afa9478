"""Published offline throughput of TensorRT-LLM v0.17, 20 rows of its performance overview.

The rows were chosen by accelerator, model and lengths, not by their error; no constant is fitted on them.
"""

import statistics
from collections.abc import Callable
from pathlib import Path

from benchmarks.offline_throughput import WORKLOAD, Row, rows, scenario, simulated, steady_state
from dcsim.spec.deployment import ServingDeployment, resolve_deployment

TABLE = Path(__file__).with_name("trtllm_offline.csv")
MEDIAN_TOLERANCE = 0.15  # data-sheet accuracy; 0.08 when this was written
WORST_TOLERANCE = 0.35


def errors(predict: Callable[[Row, ServingDeployment], float]) -> list[float]:
    published: list[Row] = list(rows(TABLE))
    predictions = [predict(row, resolve_deployment(scenario(row), WORKLOAD)) for row in published]
    return [
        abs(value / row.output_tokens_per_s - 1) for value, row in zip(predictions, published, strict=True)
    ]


def test_the_closed_form_meets_published_throughput_within_15_percent_median() -> None:
    found = errors(steady_state)
    assert len(found) == 20
    assert statistics.median(found) < MEDIAN_TOLERANCE
    assert max(found) < WORST_TOLERANCE


def test_the_simulation_meets_published_throughput_within_15_percent_median() -> None:
    found = errors(simulated)
    assert statistics.median(found) < MEDIAN_TOLERANCE
    assert max(found) < WORST_TOLERANCE
