"""Alternatives of a scenario: one field at several values, each a scenario of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dcsim.app.draft import Checked, Draft, check

MAX_ALTERNATIVES = 8
_OF_THE_CLUSTER = {
    "cluster.node": "nodes",
    "cluster.num_nodes": "",
    "facility.site": "sites",
    "economics.prices": "prices",
    "jobs.scheduler": "",
    "jobs.placement": "",
    "reliability.preset": "reliability",
    "reliability.spares": "",
}
_OF_THE_FABRIC = {
    "cluster.fabric.topology": "",
    "cluster.fabric.oversubscription": "",
    "cluster.fabric.routing": "",
    "cluster.fabric.link": "links",
}
_OF_A_WORKLOAD = {
    "model": "models",
    "precision": "",
    "engine": "engines",
    "num_replicas": "",
    "parallelism.tensor": "",
    "router": "",
    "scheduler.max_num_seqs": "",
    "scheduler.max_num_batched_tokens": "",
}
_OF_A_TRAINING_JOB = {
    "model": "models",
    "software": "software",
    "precision": "",
    "num_nodes": "",
    "parallelism.tensor": "",
    "parallelism.pipeline": "",
    "batch.sequences": "",
    "batch.micro": "",
    "recompute": "",
    "sharding": "",
}
_OF_A_CHECKPOINT = {"checkpoint.interval": "", "checkpoint.mode": ""}


@dataclass(frozen=True, slots=True)
class Alternative:
    """One value of the field, and what the scenario is with it."""

    label: str
    checked: Checked


def variable_fields(document: Mapping[str, object]) -> dict[str, str]:
    """The fields worth varying, by dotted path, and the kind of catalogue entries that each takes."""
    found = {path: kind for path, kind in _OF_THE_CLUSTER.items() if path.split(".")[0] in document}
    if "fabric" in _mapping(document.get("cluster")):
        found |= _OF_THE_FABRIC
    for name in _mapping(document.get("serving")):
        found |= {f"serving.{name}.{key}": kind for key, kind in _OF_A_WORKLOAD.items()}
    for name, job in _mapping(document.get("training")).items():
        own = _OF_A_TRAINING_JOB | (_OF_A_CHECKPOINT if "checkpoint" in _mapping(job) else {})
        found |= {f"training.{name}.{key}": kind for key, kind in own.items()}
    return found


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def alternatives(draft: Draft, path: str, values: Sequence[str]) -> list[Alternative]:
    """The draft with the field at each of the values; those that cannot be say so."""
    found = []
    for value in dict.fromkeys(values[:MAX_ALTERNATIVES]):
        overrides: dict[str, object] = {path: value}
        scenario = draft.checked().scenario
        if scenario is not None:
            overrides["name"] = f"{scenario.name}-{slug(value)}"
        found.append(Alternative(value, check(draft.text, draft.folder, overrides)))
    return found


def slug(value: str) -> str:
    """A value as part of a scenario's name.

    >>> slug("{policy: power_of_two}"), slug("8")
    ('policy-power_of_two', '8')
    """
    return re.sub(r"[^A-Za-z0-9_]+", "-", value).strip("-_") or "other"


def values_in(text: str) -> list[str]:
    """Values separated by commas or line breaks.

    >>> values_in("1, 2,, 4")
    ['1', '2', '4']
    """
    return [part.strip() for part in text.replace("\n", ",").split(",") if part.strip()]
