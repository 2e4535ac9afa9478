"""Storage of a cluster: which stores, how many units of each, and the caches in front of them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from dcsim.catalog.loader import entry_names
from dcsim.catalog.store import Store, StoreScope
from dcsim.errors import Problem
from dcsim.formulas.storage import AccessLimits, StoreLimits
from dcsim.spec.document import Document
from dcsim.spec.reference import Reference
from dcsim.spec.section import Section, or_alone
from dcsim.units import PositiveBytes, PositiveFraction, PositiveSeconds
from dcsim.validation import nearest

MAX_SERVERS = 10_000_000
_STORE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


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


class BackupSpec(Section):
    """Copies of a store's content in another store of the cluster, and tests that they can be read back."""

    store: str = Field(description="Store that the copies go to.")
    every_s: PositiveSeconds = Field(alias="every", description="Time between copies.")
    changed_frac: PositiveFraction = Field(
        default=1.0, alias="changed", description="Share of the content that a copy moves."
    )
    restore_test_s: PositiveSeconds | None = Field(
        default=None,
        alias="restore_test",
        description="Time between tests that read the last copy back; none if left out.",
    )
    num_nodes: int = Field(default=1, gt=0, le=1_000_000, description="Nodes that copy.")


class StoreSpec(TierSpec):
    """One store of the cluster."""

    requests_in_flight: int = Field(
        default=64,
        gt=0,
        le=1_000_000,
        description="Requests that one node keeps under way: readers or writers of its processes.",
    )
    cache: CacheSpec | None = Field(default=None, description="Cache in front of the store.")
    backup: BackupSpec | None = Field(default=None, description="Copies in another store.")


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


def storage_problems(stores: Mapping[str, StoreSpec], source: Document) -> Iterator[Problem]:
    """Contradictions between stores, under ``cluster.storage`` of a scenario."""
    for name, spec in stores.items():
        path = ("cluster", "storage", name)
        if not _STORE_NAME.fullmatch(name):
            remedy = "Use letters, digits, - and _, beginning with a letter or digit"
            yield source.problem(path, "the name of a store is not usable", name, remedy)
        if spec.backup is None:
            continue
        target, is_local = spec.backup.store, spec.base.scope is StoreScope.NODE
        if target not in stores:
            remedy = nearest(target, tuple(stores))
            yield source.problem((*path, "backup", "store"), "no store of that name", target, remedy)
        elif target == name:
            yield source.problem((*path, "backup", "store"), "a store cannot back itself up", target)
        elif is_local or stores[target].base.scope is StoreScope.NODE:
            remedy = "Back up a store that all nodes share, to another such store"
            yield source.problem((*path, "backup"), "local stores take no part in backups", remedy=remedy)


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


def gateway_bytes_per_s(store: StoreDeployment, num_nodes: int) -> float | None:
    """The port of a shared store on a fabric: as wide as its fastest direction; None for the nodes' own.

    That of a store without a limit is as wide as the clients of all nodes together.
    """
    reading, writing = store.limits.reading, store.limits.writing
    if store.limits.is_local:
        return None
    rate = max(reading.bytes_per_s, writing.bytes_per_s)
    if math.isfinite(rate):
        return rate
    return max(reading.node_bytes_per_s, writing.node_bytes_per_s) * num_nodes


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
