import csv
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from dcsim.catalog.loader import entry_names, provenance
from dcsim.spec.traffic import Traffic
from dcsim.workloads.arrivals.cox_ou import CoxOu
from dcsim.workloads.arrivals.poisson import Poisson
from dcsim.workloads.lengths.fixed import Fixed
from dcsim.workloads.lengths.quantiles import Quantiles
from dcsim.workloads.traces.csv import Csv

PRESETS = ("azure-code-2023", "azure-conv-2023")
MEANS = {"azure-conv-2023": (1155, 211), "azure-code-2023": (2048, 28)}  # of the trace itself
SHARED = Path(__file__).parents[3] / "shared" / "traces" / "azure_llm_2023"


def test_the_presets_are_those_of_the_catalogue():
    assert entry_names("traffic") == PRESETS


@pytest.mark.parametrize("preset", PRESETS)
def test_every_value_of_a_preset_has_a_source(preset):
    values = provenance("traffic", preset)
    assert {"lengths.probabilities", "lengths.prompt", "lengths.output"} <= {value.path for value in values}
    assert all("CC-BY-4.0" in value.source or value.path.startswith("arrivals") for value in values)
    assert all(value.source for value in values)


@pytest.mark.parametrize("preset", PRESETS)
def test_preset_lengths_have_the_means_of_the_trace(preset):
    lengths = Traffic.model_validate(preset).lengths
    assert isinstance(lengths, Quantiles)
    means = lengths.sample(np.random.default_rng(1), 400_000).mean(axis=0)
    # Straight lines between 103 quantiles bend the tail a little.
    assert means == pytest.approx(MEANS[preset], rel=0.05)


@pytest.mark.skipif(not SHARED.exists(), reason="the Azure trace of 2023 is not at ../shared")
@pytest.mark.parametrize("preset", PRESETS)
def test_preset_quantiles_are_those_of_the_trace(preset):
    name = preset.split("-")[1]
    with (SHARED / f"AzureLLMInferenceTrace_{name}.csv").open() as stream:
        rows = np.array(
            [[int(row["ContextTokens"]), int(row["GeneratedTokens"])] for row in csv.DictReader(stream)]
        )
    lengths = Traffic.model_validate(preset).lengths
    assert isinstance(lengths, Quantiles)
    np.testing.assert_allclose(np.quantile(rows[:, 0], lengths.probabilities), lengths.prompt, atol=0.06)
    np.testing.assert_allclose(np.quantile(rows[:, 1], lengths.probabilities), lengths.output, atol=0.06)


def test_the_conversation_preset_has_the_published_fit():
    arrivals = Traffic.model_validate("azure-conv-2023").arrivals
    assert isinstance(arrivals, CoxOu)
    assert arrivals.rate_per_s == 5.53
    assert [(part.sd, part.relaxation_s) for part in arrivals.fluctuations] == [(0.188, 0.53), (0.218, 233.0)]


def test_a_field_of_a_preset_can_be_changed_alone():
    varied = Traffic.model_validate({"base": "azure-conv-2023", "arrivals": {"rate": "40 /s"}})
    assert isinstance(varied.arrivals, CoxOu)
    assert varied.arrivals.rate_per_s == 40
    assert len(varied.arrivals.fluctuations) == 2
    assert varied.lengths == Traffic.model_validate("azure-conv-2023").lengths


def test_another_policy_replaces_that_of_the_preset_with_all_its_options():
    options = {
        "arrivals": {"policy": "poisson", "rate": "40 /s"},
        "lengths": {"policy": "fixed", "prompt": 5, "output": 6},
    }
    varied = Traffic.model_validate({"base": "azure-conv-2023", **options})
    assert varied.arrivals == Poisson.model_validate({"rate": "40 /s"})
    assert isinstance(varied.lengths, Fixed)


def test_a_trace_replaces_the_arrivals_and_lengths_of_a_preset():
    varied = Traffic.model_validate({"base": "azure-conv-2023", "trace": "data.csv", "num_requests": 9})
    assert (varied.arrivals, varied.lengths, varied.num_requests) == (None, None, 9)
    assert varied.trace is not None
    assert (varied.trace.path, varied.trace.format, varied.trace.rate_scale) == ("data.csv", None, 1.0)


def test_a_trace_may_name_its_format_and_columns():
    form = {"policy": "csv", "time_column": "t", "time_unit": "ms"}
    traffic = Traffic.model_validate({"trace": {"path": "data.csv", "format": form}})
    assert traffic.trace is not None
    assert traffic.trace.format == Csv.model_validate({"time_column": "t", "time_unit": "ms"})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("azure-conv-2024", "unknown traffic preset"),
        ({"base": "azure-conv-2024"}, "unknown traffic preset"),
        ({"base": "../secret"}, "unknown traffic preset"),
        ({"base": {"base": "azure-conv-2023"}}, "must be the name"),
        ({"base": "azure-conv-2023", "arrival": "poisson"}, "Extra inputs"),
        ({"arrivals": {"policy": "poison", "rate": "4 /s"}}, "unknown policy 'poison'"),
        ({"trace": {"path": "data.csv", "format": "jsonl"}}, "unknown policy 'jsonl'"),
        ({"trace": ""}, "at least 1 character"),
        ({"trace": {"path": "x", "rate_scale": 0}}, "greater than 0"),
        ({"shared_prefix": {"tokens": 0}}, "greater than 0"),
        ({"num_requests": 0}, "greater than 0"),
        (7, "valid dictionary"),
    ],
)
def test_bad_traffic_is_refused(value, message):
    with pytest.raises(ValidationError, match=message):
        Traffic.model_validate(value)


def test_an_unknown_preset_offers_the_known_ones():
    with pytest.raises(ValidationError) as caught:
        Traffic.model_validate("azure-conv")
    assert caught.value.errors()[0]["ctx"]["known"] == list(PRESETS)


def test_the_schema_offers_presets_and_fields_to_editors():
    schema = TypeAdapter(Traffic).json_schema(by_alias=True)
    names, fields = schema["anyOf"]
    assert names["enum"] == list(PRESETS)
    assert {"base", "arrivals", "lengths", "trace", "shared_prefix", "num_requests"} == set(
        fields["properties"]
    )
