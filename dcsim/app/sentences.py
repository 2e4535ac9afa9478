"""What a comparison says, in sentences: who wins, by how much, and what that comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from dcsim import Comparison, Finding, Result, quantity_text, scales_of
from dcsim.app.parts import (
    cost_parts,
    joules_of_run,
    joules_per_token,
    request_parts,
    training_parts,
    usd_per_million_tokens,
)
from dcsim.app.words import Words

IN_ALL = ("cost.total_usd", "energy.facility_j", "energy.it_j")  # objectives that are of the whole run
_LEAST_FRAC = 0.02  # a difference smaller than this share of the whole explains nothing


def finding_text(one: Finding, comparison: Comparison, labels: Sequence[str], words: Words) -> str:
    """One finding of a comparison, its runs called as in ``labels``."""
    named = words("compare.and").join(labels[at] for at in one.results)
    by = "" if one.relative_frac is None else f"{abs(one.relative_frac):.1%}".replace("%", " %")
    return words(
        f"findings.{one.kind.value}",
        winner=labels[one.winner] if one.winner is not None else "",
        over=labels[one.over] if one.over is not None else "",
        objective=objective_text(one.objective, comparison, words),
        by=by,
        how=words(f"significance.{one.significance.value}") if one.significance is not None else "",
        results=named,
    )


def reasons(
    comparison: Comparison, results: Sequence[Result], labels: Sequence[str], words: Words
) -> Iterator[str]:
    """For each objective that somebody wins, the part in which the difference mostly lies."""
    sources = {
        "cost": ("usd_per_x", usd_per_million_tokens),
        "energy": ("it_j_per_x", joules_per_token),
        "cost_in_all": ("x_usd", cost_parts),
        "energy_in_all": ("x_j", joules_of_run),
        "latency": ("x_s", lambda result, texts: request_parts(result, "mean", texts)),
        "time": ("x_s", training_parts),
    }
    is_served = {one.name for one in comparison.objectives if one.path.endswith("_output_token")}
    is_served |= {one.name for one in comparison.objectives if one.path.endswith("_output_tokens")}
    for finding in comparison.sentences():
        kind = (finding.objective or "").partition(".")[0]
        if kind in ("cost", "energy") and finding.objective not in is_served:
            kind = f"{kind}_in_all"
        if finding.winner is None or finding.over is None or kind not in sources:
            continue
        name, parts_of = sources[kind]
        parts = [parts_of(results[at], words) for at in (finding.winner, finding.over)]
        chief = chief_difference(*parts)
        if chief is not None:
            ours, theirs = (quantity_text(one.get(chief, 0.0), scales_of(name)) for one in parts)
            yield words(
                f"reasons.{kind}",
                part=chief,
                winner=labels[finding.winner],
                over=labels[finding.over],
                ours=ours,
                theirs=theirs,
            )


def chief_difference(ours: Mapping[str, float], theirs: Mapping[str, float]) -> str | None:
    """The part by which the second exceeds the first most; None where no part does to speak of.

    >>> chief_difference({"a": 1.0, "b": 1.0}, {"a": 1.1, "b": 3.0})
    'b'
    """
    excess = {key: size - ours.get(key, 0.0) for key, size in theirs.items()}
    chief = max(excess, key=lambda key: excess[key], default=None)
    if chief is None or excess[chief] < _LEAST_FRAC * sum(theirs.values()):
        return None
    return chief


def objective_text(name: str | None, comparison: Comparison, words: Words) -> str:
    """What an objective is called, with its workload or job where there are several."""
    if name is None:
        return ""
    kind, _, workload = name.partition(".")
    path = next((one.path for one in comparison.objectives if one.name == name), "")
    in_all = "_in_all" if path in IN_ALL else ""
    return words(f"objectives.{kind}{in_all}") + (f" ({workload})" if workload else "")


def row_label(path: str, words: Words, counted_in: object = "tokens") -> str:
    """What a number of the summary is called, by its dotted path, in a job that counts tokens or samples."""
    part, *keys = path.split(".")
    if part in ("serving", "training"):
        keys = keys[1:]  # without the name of the workload or the job
    elif part != "jobs":
        return words.maybe(f"summary.{path}", keys[-1].replace("_", " "))
    of_part = "metrics" if part == "serving" else part
    key = f"{of_part}.{keys[0]}"
    metric = words.maybe(f"{key}_in_{counted_in}", words.maybe(key, keys[0].replace("_", " ")))
    return " ".join([metric, *(words.maybe(f"statistics.{key}", key) for key in keys[1:])])
