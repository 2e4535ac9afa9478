"""The serving section: one served model, its replicas, its traffic and its SLO."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, GetJsonSchemaHandler, ValidationInfo, field_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from dcsim.catalog.efficiency import Efficiency
from dcsim.catalog.engine import Engine
from dcsim.catalog.model import Model
from dcsim.formulas.datatypes import Datatype
from dcsim.formulas.sampling import Sampling
from dcsim.plugins import PolicyFrom
from dcsim.policies.router import Router
from dcsim.policies.scheduler import Scheduler
from dcsim.spec.lending import Lending
from dcsim.spec.reference import Reference
from dcsim.spec.section import Section, or_alone
from dcsim.spec.traffic import Traffic
from dcsim.units import PositiveFraction, PositiveSeconds, Ratio

_CACHE_BESIDE: Mapping[str, Datatype] = {  # wide weights and activations; 16 bits beside narrower ones
    Datatype.FP32: Datatype.FP32,
    Datatype.TF32: Datatype.FP32,
    Datatype.BF16: Datatype.BF16,
    Datatype.FP16: Datatype.FP16,
}


class Precision(Section):
    """Datatypes of weights, activations and KV cache. One name alone sets weights and activations.

    Routed experts may differ: gpt-oss keeps them in mxfp4 and everything else in bf16. Formats of weights
    alone (mxfp4, int4) stand beside wider activations, in which the products run.
    """

    weights: Datatype = Field(description="Stored weights.")
    activations: Datatype = Field(description="Activations: the type that matrix multiplications run in.")
    kv_cache: Datatype = Field(description="Keys and values.")
    expert_weights: Datatype | None = Field(
        default=None, description="Stored weights of routed experts; as the other weights if left out."
    )
    expert_activations: Datatype | None = Field(
        default=None,
        description="The type that the products of routed experts run in; as the others if left out.",
    )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Offer one name alone to editors, and the fields that may vary it."""
        fields = handler.resolve_ref_schema(handler(schema))
        names = [str(datatype) for datatype in Datatype]
        base = {"enum": names, "description": "Datatype to start from."}
        varied = {**fields, "properties": {"base": base, **fields["properties"]}, "required": []}
        return or_alone(varied, {"enum": names})


class Parallelism(Section):
    """How one replica is spread over accelerators."""

    tensor: int = Field(default=1, gt=0, le=1024, description="Tensor-parallel ranks.")
    pipeline: int = Field(default=1, gt=0, le=1024, description="Pipeline stages.")
    expert: int = Field(
        default=1, gt=0, le=1024, description="Expert-parallel ranks, among the tensor-parallel ones."
    )

    @property
    def num_accelerators(self) -> int:
        """Those of one replica."""
        return self.tensor * self.pipeline


class KvCache(Section):
    """The paged KV cache. Options left out take the engine's defaults."""

    block_size: int | None = Field(default=None, gt=0, le=4096, description="Tokens per block.")
    memory_utilization_frac: PositiveFraction | None = Field(
        default=None,
        alias="gpu_memory_utilization",
        description="Share of device memory that the engine may use.",
    )
    num_blocks: int | None = Field(
        default=None, gt=0, description="Number of blocks; computed from the memory if left out."
    )
    has_prefix_caching: bool | None = Field(
        default=None, alias="prefix_caching", description="Whether shared prompt prefixes are reused."
    )


class Slo(Section):
    """Service-level objective: what each request must meet, and what share of requests must meet it."""

    ttft_s: PositiveSeconds | None = Field(
        default=None, alias="ttft", description="Time to first token, queueing included."
    )
    tpot_s: PositiveSeconds | None = Field(
        default=None, alias="tpot", description="Mean time per output token after the first."
    )
    e2e_s: PositiveSeconds | None = Field(default=None, alias="e2e", description="End-to-end latency.")
    attainment_frac: PositiveFraction = Field(
        default=0.99, alias="attainment", description="Share of offered requests that must meet every limit."
    )


class Prefill(Section):
    """Replicas of their own for prompts: disaggregated prefill. What is left out is that of the others."""

    num_replicas: int = Field(gt=0, le=1_000_000, description="Copies of the model that compute prompts.")
    parallelism: Parallelism | None = Field(default=None, description="How one of them is spread.")
    engine: Annotated[Engine, Reference("engines")] | None = Field(
        default=None, description="Serving engine, a catalogue name."
    )
    scheduler: Annotated[Scheduler, PolicyFrom("dcsim.policies.schedulers", nameless=Scheduler)] | None = (
        Field(default=None, description="Scheduling policy; that of the engine if another engine is given.")
    )
    router: Annotated[Router, PolicyFrom("dcsim.policies.routers")] | None = Field(
        default=None, description="Which of them a request goes to."
    )
    kv_cache: KvCache | None = Field(default=None, description="Their paged KV cache.")

    @field_validator("scheduler", mode="before")
    @classmethod
    def _of_the_engine(cls, value: object, info: ValidationInfo) -> object:
        """Options without a policy are those of the policy of the engine that is given here."""
        return _with_policy(value, info.data.get("engine"))


class Serving(Section):
    """One served model."""

    model: Annotated[Model, Reference("models", accepts=(Model,))] = Field(
        description="Model: a catalogue name, a Hugging Face config.json, or {base: NAME, field: value}."
    )
    precision: Precision | None = Field(
        default=None, description="Datatypes; the model's own datatype if left out."
    )
    engine: Annotated[Engine, Reference("engines")] = Field(description="Serving engine, a catalogue name.")
    efficiency: Annotated[Efficiency, Reference("efficiency")] | None = Field(
        default=None, description="Efficiency profile; the accelerator's own if left out."
    )
    num_replicas: int = Field(
        gt=0, le=1_000_000, description="Copies of the model; beside those of prefill, which compute prompts."
    )
    parallelism: Parallelism = Field(default_factory=Parallelism, description="How one replica is spread.")
    scheduler: Annotated[Scheduler, PolicyFrom("dcsim.policies.schedulers", nameless=Scheduler)] | None = (
        Field(
            default=None,
            description="Scheduling policy; the engine's if left out. Options alone, as in "
            "{max_num_seqs: 64}, are those of the engine's policy.",
        )
    )
    router: Annotated[Router, PolicyFrom("dcsim.policies.routers")] = Field(
        default="least_outstanding", validate_default=True, description="Routing policy."
    )
    kv_cache: KvCache = Field(default_factory=KvCache, description="The paged KV cache.")
    sampling: Sampling = Field(
        default=Sampling.GREEDY,
        description="How tokens are chosen: greedy (or by temperature alone), or top_p, for which the whole "
        "vocabulary is sorted.",
    )
    expert_skew: Ratio = Field(
        default=0.0, description="Skew of expert popularity: the exponent of a Zipf law; 0 is balanced."
    )
    max_model_len: int | None = Field(
        default=None, gt=0, description="Longest prompt plus output; the model's longest context if left out."
    )
    max_queue: int | None = Field(
        default=None, gt=0, description="Waiting requests per replica beyond which new ones are rejected."
    )
    request_timeout_s: PositiveSeconds | None = Field(
        default=None, alias="request_timeout", description="Time after which the client gives up."
    )
    slo: Slo = Field(default_factory=Slo, description="Service-level objective.")
    weights_store: str | None = Field(
        default=None,
        alias="weights",
        description="Store of cluster.storage from which a replica that comes back loads its weights; that "
        "of the section reliability if left out.",
    )
    lending: Lending | None = Field(
        default=None,
        description="Replicas switched off for a while, whose nodes jobs may use; none if left out.",
    )
    prefill: Prefill | None = Field(
        default=None,
        description="Disaggregated prefill: replicas that compute prompts and send the KV cache to the "
        "others, which decode. Left out: every replica does both.",
    )
    traffic: Traffic = Field(description="Requests: a preset, arrivals with lengths, or a trace.")

    @property
    def pools(self) -> tuple[Serving, ...]:
        """All replicas; or those that decode, and those for prefill as a served model of their own."""
        prefill = self.prefill
        if prefill is None:
            return (self,)
        inherited = self.scheduler if prefill.engine is None else None
        update = {
            "prefill": None,
            "num_replicas": prefill.num_replicas,
            "parallelism": prefill.parallelism or self.parallelism,
            "engine": prefill.engine or self.engine,
            "scheduler": prefill.scheduler or inherited,
            "router": prefill.router or self.router,
            "kv_cache": prefill.kv_cache or self.kv_cache,
        }
        return (self, self.model_copy(update=update))

    @field_validator("scheduler", mode="before")
    @classmethod
    def _of_the_engine(cls, value: object, info: ValidationInfo) -> object:
        """Options without a policy are those of the engine's policy; a wrong engine is problem enough."""
        return _with_policy(value, info.data.get("engine"))

    @field_validator("prefill", mode="before")
    @classmethod
    def _prefill_by_the_same_engine(cls, value: object, info: ValidationInfo) -> object:
        """Options without a policy are those of the engine's, where prefill has no engine of its own."""
        if not isinstance(value, dict) or value.get("engine") is not None or "scheduler" not in value:
            return value
        return {**value, "scheduler": _with_policy(value["scheduler"], info.data.get("engine"))}

    @field_validator("precision", mode="before")
    @classmethod
    def _from_one_name(cls, value: object) -> object:
        """``fp8`` alone means fp8 weights and activations; the KV cache then stays in 16 bits
        (32 beside tf32, which is a way to multiply and not one to store).

        ``{base: fp8, kv_cache: fp8}`` varies that.
        """
        name = value.get("base") if isinstance(value, dict) else value
        if not isinstance(name, str):
            return value
        if name not in set(Datatype):
            known = [str(datatype) for datatype in Datatype]
            message = f"must be {', '.join(known[:-1])} or {known[-1]}"
            raise PydanticCustomError("unknown_name", "{message}", {"message": message, "known": known})
        plain = {"weights": name, "activations": name, "kv_cache": _CACHE_BESIDE.get(name, Datatype.BF16)}
        return (
            plain | {key: item for key, item in value.items() if key != "base"}
            if isinstance(value, dict)
            else plain
        )


def _with_policy(value: object, engine: object) -> object:
    """Options of a scheduler, with the engine's policy if they name none; nothing beside a wrong engine."""
    if not isinstance(value, dict) or "policy" in value:
        return value
    return {"policy": engine.scheduler, **value} if isinstance(engine, Engine) else None
