"""Measured collectives: bus bandwidth over message size on one system, as its links name it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dcsim.catalog.entry import Entry
from dcsim.formulas.network.collective_curve import CollectiveCurve, CollectiveCurves, collective_curve
from dcsim.formulas.network.group_network import Collective, bus_bytes_frac
from dcsim.units import BytesPerSecond, PositiveBytes

MIN_SIZES = 2


class MeasuredCurve(BaseModel):
    """One collective among so many ranks: bus bandwidth, as nccl-tests defines it, by message size."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=False, validate_by_alias=True)

    collective: Collective = Field(description="What the ranks did together.")
    num_ranks: int = Field(gt=1, description="Ranks of the group.")
    ranks_per_domain: int = Field(gt=0, description="Ranks in each scale-up domain.")
    source: str = Field(default="", description="Where this curve was measured, if not all at one place.")
    bus_bandwidth: Annotated[dict[PositiveBytes, BytesPerSecond], Field(min_length=MIN_SIZES)] = Field(
        description="Bus bandwidth by size of the full message, each rank's buffer counted whole."
    )

    @property
    def is_spanning(self) -> bool:
        """Whether the ranks lie in several scale-up domains."""
        return self.num_ranks > self.ranks_per_domain

    @property
    def times_s(self) -> Mapping[float, float]:
        """Time by message size."""
        moved_frac = bus_bytes_frac(self.collective, self.num_ranks)
        return {size: size * moved_frac / bandwidth for size, bandwidth in self.bus_bandwidth.items()}

    def curve(self) -> CollectiveCurve:
        """The curve through the measured points."""
        return collective_curve(self.num_ranks, self.ranks_per_domain, self.times_s)


class MeasuredCollectives(Entry):
    """Collectives measured on one system: used where a node has the same links and as many ports."""

    scale_up: str = Field(description="Link within a scale-up domain of the measured system.")
    accelerator: str | None = Field(
        default=None, description="The only accelerator that it is used for; goes before curves of any."
    )
    scale_out: str | None = Field(
        default=None, description="Link between its domains; left out if all was measured within one."
    )
    domain_size: int | None = Field(
        default=None, gt=0, description="Accelerators of a domain, where several were spanned."
    )
    num_nics: int | None = Field(
        default=None, gt=0, description="Scale-out ports of a domain, where several were spanned."
    )
    curves: Annotated[tuple[MeasuredCurve, ...], Field(min_length=1)] = Field(
        description="What was measured."
    )

    @model_validator(mode="after")
    def _spans_only_what_it_describes(self) -> Self:
        described = self.scale_out is not None and self.domain_size is not None and self.num_nics is not None
        if any(curve.is_spanning for curve in self.curves) and not described:
            raise ValueError("curves over several domains need scale_out, domain_size and num_nics")
        return self


def curves_of(entries: Iterable[MeasuredCollectives]) -> CollectiveCurves | None:
    """All curves of the entries together, in ascending order; None if there are none.

    Of two curves of one collective and group, that of the accelerator's own entry counts.
    """
    own_last = sorted(entries, key=lambda entry: entry.accelerator is not None)
    by_group = {
        (one.collective, one.num_ranks, one.ranks_per_domain): one
        for entry in own_last
        for one in entry.curves
    }
    inside: defaultdict[str, list[CollectiveCurve]] = defaultdict(list)
    spanning: defaultdict[str, list[CollectiveCurve]] = defaultdict(list)
    for one in sorted(by_group.values(), key=lambda one: one.num_ranks):
        (spanning if one.is_spanning else inside)[one.collective].append(one.curve())
    if not by_group:
        return None
    return CollectiveCurves(
        inside={kind: tuple(curves) for kind, curves in inside.items()},
        spanning={
            kind: tuple(sorted(curves, key=lambda one: one.num_domains)) for kind, curves in spanning.items()
        },
    )
