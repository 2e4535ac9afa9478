"""Where the time went, as bars: parts of the mean and of the slow requests that add up to the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dcsim.report.columns import columns_table, text_width
from dcsim.report.numbers import TIME, quantity_text
from dcsim.result import Estimate, SummaryView

if TYPE_CHECKING:
    from rich.table import Table

GROUPS: Sequence[str] = ("mean", "p99_ttft", "p99_e2e")
_TITLES = {"mean": "mean request", "p99_ttft": "slow first token (p99)", "p99_e2e": "slow request (p99)"}
_CAUSES = {
    "compute_s": "compute",
    "memory_s": "memory",
    "launch_s": "kernel launches",
    "network_s": "network",
    "host_s": "host overhead",
}
_WAITS = {
    "front_end_s": "front end",
    "queue_wait_s": "queue",
    "preemption_s": "preemption",
    "kv_transfer_s": "KV transfer",
}
_INTERFERENCE = "others' prompts"
_LEAST_FRAC = 0.005  # parts smaller than this in every group are summed up
_BAR_WIDTH = 10
_EIGHTHS = " ▏▎▍▌▋▊▉"
_NARROW = 100  # columns; below, the middle group is left out


def explained_parts(group: SummaryView) -> dict[str, float]:
    """The parts of a group's time in seconds, by what they are called. They add up to its total."""
    parts = {label: _seconds(group, key) for key, label in _WAITS.items() if key in group}
    for phase in ("prefill", "decode"):
        causes = group.get(phase)
        if isinstance(causes, SummaryView):
            parts |= {f"{phase}: {label}": _seconds(causes, key) for key, label in _CAUSES.items()}
            if "interference_s" in causes:
                parts[f"{phase}: {_INTERFERENCE}"] = _seconds(causes, "interference_s")
    parts["unattributed"] = _seconds(group, "unattributed_s")
    return parts


def explain_table(explain: SummaryView, groups: Sequence[str], width: int) -> Table | None:
    """A table of parts by group with bars, as long as the width allows; None where no request finished."""
    found = {key: group for key in groups if isinstance(group := explain.get(key), SummaryView)}
    if width < _NARROW:
        found.pop("p99_ttft", None)
    totals = {key: _seconds(group, "total_s") for key, group in found.items()}
    if not totals or not all(totals.values()):
        return None
    parts = _rows({key: explained_parts(group) for key, group in found.items()}, totals)
    for bar_width in range(_BAR_WIDTH, -1, -1):
        rows = [("where the time goes", *(_TITLES[key] for key in found))]
        for label, *seconds in parts:
            cells = zip(seconds, totals.values(), strict=True)
            rows.append((label, *(_cell(part, total, bar_width) for part, total in cells)))
        rows.append(("whole", *(f"{quantity_text(total, TIME):>8}  100 %" for total in totals.values())))
        if text_width(rows) <= width:
            break
    return columns_table(rows, "left")


def _rows(
    parts: Mapping[str, Mapping[str, float]], totals: Mapping[str, float]
) -> list[tuple[str, *tuple[float, ...]]]:
    """Label and seconds in each group, small parts summed up in the last row."""
    labels = {label: None for group in parts.values() for label in group}
    rows: list[tuple[str, Sequence[float]]] = []
    rest = [0.0] * len(parts)
    for label in labels:
        seconds = [group.get(label, 0.0) for group in parts.values()]
        if all(abs(part) < _LEAST_FRAC * total for part, total in zip(seconds, totals.values(), strict=True)):
            rest = [sum(pair) for pair in zip(rest, seconds, strict=True)]
        else:
            rows.append((label, seconds))
    if any(rest):
        rows.append(("the rest", rest))
    return [(label, *seconds) for label, seconds in rows]


def _cell(seconds: float, total: float, bar_width: int) -> str:
    fraction = seconds / total
    text = f"{quantity_text(seconds, TIME):>8} {_share(fraction):>6} {bar_text(fraction, bar_width)}"
    return text.rstrip()


def _share(fraction: float) -> str:
    return f"{fraction:.1%}".replace("%", " %")


def bar_text(fraction: float, width: int) -> str:
    """A bar that fills this fraction of the width, to an eighth of a character.

    >>> bar_text(0.5, 4)
    '██'
    """
    num_eighths = round(min(max(fraction, 0.0), 1.0) * width * 8)
    whole, part = divmod(num_eighths, 8)
    return "█" * whole + _EIGHTHS[part].strip()


def _seconds(group: SummaryView, key: str) -> float:
    found = group.get(key)
    return found.value if isinstance(found, Estimate) else 0.0
