"""Values that a part of a scenario begins with when the form adds it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from dcsim.app.form.fields import Field, Kind

_FIRST: Mapping[str, Mapping[str, object]] = {  # by key; what is not here begins with what is required
    "traffic": {
        "arrivals": {"policy": "poisson", "rate": "4 /s"},
        "lengths": {"policy": "lognormal", "prompt_mean": 1000, "output_mean": 250, "cv": 1.0},
    },
    "serving": {
        "model": "llama-3.1-8b",
        "engine": "vllm",
        "num_replicas": 1,
        "traffic": {
            "arrivals": {"policy": "poisson", "rate": "4 /s"},
            "lengths": {"policy": "lognormal", "prompt_mean": 1000, "output_mean": 250, "cv": 1.0},
        },
    },
    "training": {
        "kind": "finetune",
        "model": "llama-3.1-8b",
        "software": "fsdp",
        "num_nodes": 1,
        "sharding": "full",
        "recompute": "full",
        "batch": {"sequences": 64, "tokens": 4096},
        "tokens": 100_000_000,
    },
    "storage": {"base": "lustre-flash"},
    "jobs": {
        "arrivals": {"policy": "poisson", "rate": "20 /h", "duration_mean": "2 h", "jobs": 1000},
        "scheduler": "easy_backfill",
    },
    "lending": {"autoscaler": "by_load"},
    "reliability": {"preset": "llama3-h100"},
}
_FIRST_PRECISION = {"weights": "fp8", "activations": "fp8", "kv_cache": "bf16"}


def own_values(one: Field) -> dict[str, object]:
    """Values to begin with instead of a name, or for a part that is new: at least those that are required."""
    if one.key in _FIRST:
        return dict(_FIRST[one.key])
    if one.key == "precision" and one.kind is Kind.CHOICE_OR_FIELDS:
        return dict(_FIRST_PRECISION)
    return {inner.key: first_value(inner) for inner in one.fields if inner.is_required}


def first_value(one: Field) -> object:
    """A value to begin with: the default, the example, the least."""
    if one.default is not None:
        return one.default
    if one.fields:
        return {inner.key: first_value(inner) for inner in one.fields if inner.is_required}
    if one.choices:
        return one.choices[0]
    if one.kind in (Kind.INTEGER, Kind.NUMBER):
        return int(one.minimum or 1)
    return one.example.split(",")[0] or None


def plain_name(text: str) -> str:
    """A name for a part of a scenario: letters, digits, and - or _ between them.

    >>> plain_name("my job: 2"), plain_name("..")
    ('my-job-2', '')
    """
    return re.sub(r"[^A-Za-z0-9_]+", "-", text).strip("-")


def free_name(wanted: str, taken: Collection[str]) -> str:
    """The name, or with a number if there is such a one already.

    >>> free_name("store", {"store", "store-2"})
    'store-3'
    """
    number, name = 1, wanted
    while name in taken:
        number += 1
        name = f"{wanted}-{number}"
    return name
