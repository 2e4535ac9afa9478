"""Traffic: when requests come, how long they are, and what they share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from dcsim.catalog.loader import TRAFFIC, entry_mapping, entry_names, merged, without, without_sources
from dcsim.errors import ScenarioError
from dcsim.plugins import PolicyFrom
from dcsim.spec.recorded import Recorded
from dcsim.spec.reference import CATALOGUE_KEY
from dcsim.spec.section import Section
from dcsim.units import Ratio
from dcsim.workloads.arrival_process import ArrivalProcess
from dcsim.workloads.length_distribution import MAX_TOKENS, LengthDistribution
from dcsim.workloads.trace_format import FORMATS, TraceFormat

_ABOUT_THE_PRESET = ("name", "title", "source")


class SharedPrefix(Section):
    """A system prompt that requests share. It is part of each prompt's length."""

    num_tokens: int = Field(gt=0, le=MAX_TOKENS, alias="tokens", description="Length of the shared prefix.")
    num_variants: int = Field(
        default=1,
        gt=0,
        le=MAX_TOKENS,
        alias="variants",
        description="Number of different prefixes, drawn with equal chance.",
    )


class TraceSpec(Recorded):
    """A recorded trace to replay. A path alone is short for {path: PATH}."""

    format: Annotated[TraceFormat, PolicyFrom(FORMATS)] | None = Field(
        default=None,
        description="Format: azure_llm_2023, csv or parquet with named columns; told from the "
        "file's beginning if left out.",
    )
    rate_scale: Ratio = Field(
        default=1.0,
        gt=0,
        description="Factor on the arrival rate: instants are divided by it. It distorts daily shape; "
        "1 replays as recorded.",
    )


class Traffic(Section):
    """Requests of one workload: arrivals with lengths, or a trace.

    A preset's name, or ``{base: PRESET, field: value}``, starts from the fields of a preset. A trace then
    replaces the preset's arrivals and lengths, and arrivals or lengths replace its trace.
    """

    arrivals: Annotated[ArrivalProcess, PolicyFrom("dcsim.workloads.arrivals")] | None = Field(
        default=None, description="Arrival process."
    )
    lengths: Annotated[LengthDistribution, PolicyFrom("dcsim.workloads.lengths")] | None = Field(
        default=None, description="Prompt and output lengths."
    )
    trace: TraceSpec | None = Field(
        default=None, description="A recorded trace, instead of arrivals and lengths."
    )
    shared_prefix: SharedPrefix | None = Field(default=None, description="A shared system prompt.")
    num_requests: int | None = Field(
        default=None, gt=0, le=MAX_TOKENS, description="Stop after so many requests."
    )

    @model_validator(mode="before")
    @classmethod
    def _from_preset(cls, value: object) -> object:
        if isinstance(value, str):
            return _preset(value)
        if isinstance(value, Mapping) and "base" in value:
            base = value["base"]
            if not isinstance(base, str):
                raise PydanticCustomError("traffic", "base must be the name of a traffic preset")
            rest = without_sources(without(value, "base"))
            assert isinstance(rest, dict)
            return _varied(_preset(base), rest)
        return value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Offer the presets' names to editors beside the fields."""
        fields = handler.resolve_ref_schema(handler(schema))
        names = list(entry_names(TRAFFIC))
        base = {"enum": names, "description": "Preset to start from.", CATALOGUE_KEY: TRAFFIC}
        description = fields.pop("description", "")
        varied = {**fields, "properties": {"base": base, **fields["properties"]}}
        return {"description": description, "anyOf": [{"enum": names, CATALOGUE_KEY: TRAFFIC}, varied]}


def _preset(name: str) -> dict[str, object]:
    known = entry_names(TRAFFIC)
    if name not in known:
        raise PydanticCustomError(
            "unknown_name", "unknown traffic preset '{name}'", {"name": name, "known": list(known)}
        )
    try:
        mapping = entry_mapping(TRAFFIC, name)
    except ScenarioError as error:
        raise PydanticCustomError("entry", "bad entry", {"problems": list(error.problems)}) from error
    return {key: item for key, item in mapping.items() if key not in _ABOUT_THE_PRESET}


def _varied(preset: dict[str, object], above: dict[str, object]) -> dict[str, object]:
    """The preset under the given fields; a policy of another name replaces the preset's, options and all."""
    base = dict(preset)
    replaced = {"trace": ("arrivals", "lengths"), "arrivals": ("trace",), "lengths": ("trace",)}
    for key, value in above.items():
        for loser in replaced.get(key, ()) if value is not None else ():
            base.pop(loser, None)
        below = base.get(key)
        names_policy = isinstance(value, Mapping) and "policy" in value
        if names_policy and isinstance(below, dict) and below.get("policy") != value["policy"]:  # type: ignore[index]
            base.pop(key)
    return merged(base, above)
