"""Storage of a cluster: which stores, how many units of each, and the caches in front of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from dcsim.catalog.loader import entry_names
from dcsim.catalog.store import Store, StoreScope
from dcsim.formulas.storage import AccessLimits, StoreLimits
from dcsim.spec.reference import Reference
from dcsim.spec.section import Section, or_alone
from dcsim.units import PositiveBytes

MAX_SERVERS = 10_000_000


class CacheWrites(StrEnum):
    """When a write to a store with a cache is done."""

    THROUGH = "through"  # when the store has it; the cache has it then, too
    BACK = "back"  # when the cache has it; it drains to the store after that


class TierSpec(Section):
    """A number of units of one store of the catalogue. A name alone is short for {base: NAME}."""

    name_key: ClassVar[str] = "base"

    base: Annotated[Store, Reference("storage")] = Field(
        description="Store, a catalogue name, a file, or {base: NAME, field: value}."
    )
    num_servers: int = Field(
        default=1,
        gt=0,
        le=MAX_SERVERS,
        description="Units of the store, as its entry says: drives per node, servers, racks, terabytes, "
        "prefixes. Bandwidth, rates, capacity and power grow with them.",
    )
    capacity_bytes: PositiveBytes | None = Field(
        default=None,
        alias="capacity",
        description="Capacity in all, of each node where the store is local; that of the units if left out.",
    )

    @model_validator(mode="before")
    @classmethod
    def _from_name_alone(cls, value: object) -> object:
        return {"base": value} if isinstance(value, str | Store) else value

    @model_validator(mode="after")
    def _has_bandwidth(self) -> TierSpec:
        store = self.base
        for what, limits in (
            ("read", (store.read_bytes_per_s, store.node_read_bytes_per_s)),
            ("write", (store.write_bytes_per_s, store.node_write_bytes_per_s)),
        ):
            if limits == (None, None):
                message = "nothing limits its {what} bandwidth; set {what}_bandwidth or node_{what}_bandwidth"
                raise PydanticCustomError("storage", message, {"what": what})
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Offer the name alone to editors beside the fields."""
        names = {"enum": list(entry_names("storage"))}
        return or_alone(handler.resolve_ref_schema(handler(schema)), names)


class CacheSpec(TierSpec):
    """A faster store in front of another: it keeps what was read and takes what is written."""

    writes: CacheWrites = Field(
        default=CacheWrites.THROUGH,
        description="through: a write is done when the store has it; back: when the cache has it.",
    )


class StoreSpec(TierSpec):
    """One store of the cluster."""

    requests_in_flight: int = Field(
        default=64,
        gt=0,
        le=1_000_000,
        description="Requests that one node keeps under way: readers or writers of its processes.",
    )
    cache: CacheSpec | None = Field(default=None, description="Cache in front of the store.")


@dataclass(frozen=True, slots=True)
class StoreDeployment:
    """A store as it is simulated: its limits and those of its cache, its power and its prices."""

    name: str
    scope: StoreScope
    limits: StoreLimits
    cache: StoreLimits | None = None
    cache_writes: CacheWrites = CacheWrites.THROUGH
    power_w: float = 0.0
    capex_usd_per_byte: float = 0.0
    usd_per_byte_s: float = 0.0
    egress_usd_per_byte: float = 0.0

    @property
    def cache_name(self) -> str:
        """The name of the cache in tables."""
        return f"{self.name}.cache"


def resolve_store(spec: StoreSpec, name: str) -> StoreDeployment:
    """The store with all units taken together.

    Power is that of shared stores only: a node's own drives are part of the node's power.
    """
    entry, cache = spec.base, spec.cache
    is_shared = entry.scope is StoreScope.CLUSTER
    return StoreDeployment(
        name=name,
        scope=entry.scope,
        limits=_limits(spec, spec.requests_in_flight),
        cache=_limits(cache, spec.requests_in_flight) if cache else None,
        cache_writes=cache.writes if cache else CacheWrites.THROUGH,
        power_w=entry.power_w * spec.num_servers if is_shared else 0.0,
        capex_usd_per_byte=entry.capex_usd_per_byte,
        usd_per_byte_s=entry.usd_per_byte_s,
        egress_usd_per_byte=entry.egress_usd_per_byte,
    )


def _limits(tier: TierSpec, requests_in_flight: int) -> StoreLimits:
    entry, num = tier.base, tier.num_servers
    both = {
        "metadata_per_s": _of_all(entry.metadata_per_s, num),
        "request_bytes": _unlimited_if_none(entry.request_bytes),
    }
    reading, writing = (
        AccessLimits(
            bytes_per_s=_of_all(bandwidth, num),
            node_bytes_per_s=_unlimited_if_none(of_node),
            operations_per_s=_of_all(operations, num),
            latency_s=entry.latency_s,
            requests_in_flight=requests_in_flight,
            **both,
        )
        for bandwidth, of_node, operations in (
            (entry.read_bytes_per_s, entry.node_read_bytes_per_s, entry.read_operations_per_s),
            (entry.write_bytes_per_s, entry.node_write_bytes_per_s, entry.write_operations_per_s),
        )
    )
    capacity = tier.capacity_bytes or _of_all(entry.capacity_bytes, num)
    return StoreLimits(reading, writing, capacity, is_local=entry.scope is StoreScope.NODE)


def _of_all(of_unit: float | None, num_units: int) -> float:
    return math.inf if of_unit is None else of_unit * num_units


def _unlimited_if_none(limit: float | None) -> float:
    return math.inf if limit is None else limit
