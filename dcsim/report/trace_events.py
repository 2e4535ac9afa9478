"""Events of a trace, in Google's "Trace Event Format"; times are microseconds there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dcsim.tables import Table

US_PER_S = 1e6
Event = dict[str, object]
Arguments = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Track:
    """Where events are drawn: a process, which is a group, and a row in it."""

    process: int
    row: int = 0


def name_event(what: str, track: Track, name: str) -> Event:
    """The name of a process (``process_name``) or a row (``thread_name``)."""
    return {"ph": "M", "name": what, "pid": track.process, "tid": track.row, "args": {"name": name}}


def slice_event(
    track: Track, category: str, name: str, span_s: tuple[float, float], args: Arguments
) -> Event:
    """A slice of a row, from its start, for its duration; slices of a row must not cross."""
    start_us, duration_us = span_s[0] * US_PER_S, span_s[1] * US_PER_S
    at: Event = {"cat": category, "ts": start_us, "dur": duration_us, "pid": track.process, "tid": track.row}
    return {"ph": "X", "name": name, "args": dict(args), **at}


def span_events(
    track: Track, category: str, number: int, name: str, ends_s: tuple[float, float], args: Arguments
) -> Iterator[Event]:
    """Begin and end of a span that may cross others; those of one number are nested in one another."""
    common: Event = {"name": name, "cat": category, "id": number, "pid": track.process, "tid": track.row}
    yield {"ph": "b", "ts": ends_s[0] * US_PER_S, "args": dict(args), **common}
    yield {"ph": "e", "ts": ends_s[1] * US_PER_S, **common}


def counter_event(track: Track, name: str, at_s: float, values: Arguments) -> Event:
    """Values of a counter from an instant on."""
    at: Event = {"ts": at_s * US_PER_S, "pid": track.process, "tid": track.row}
    return {"ph": "C", "name": name, "args": dict(values), **at}


def table_rows(table: Table) -> Iterator[dict[str, object]]:
    """The table row by row, as plain values."""
    names = list(table.columns)
    for values in zip(*(table[name].tolist() for name in names), strict=True):
        yield dict(zip(names, values, strict=True))
