"""Provenance: the catalogue entries a result rests on, which values are estimates, and what extrapolates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dcsim.catalog.entry import Entry
from dcsim.catalog.group_network import measured_on
from dcsim.catalog.link import Link
from dcsim.catalog.loader import TRAFFIC, SourcedValue, entry_mapping, entry_names, load_entry, provenance
from dcsim.formulas.datatypes import Datatype
from dcsim.metrics.columns import floats
from dcsim.spec.deployment import resolve_efficiency
from dcsim.spec.scenario import Scenario
from dcsim.spec.training.dataset_reads import resolve_dataset_reads
from dcsim.spec.training.deployment import resolve_training
from dcsim.spec.training.job import JobKind, TrainingJob
from dcsim.tables import RunTables, ServingTables

_BY_NAME = ("node_price", "accelerator_price")  # price books: one value per node or accelerator


@dataclass(frozen=True, slots=True)
class _Source:
    """An entry that the result rests on; its values are empty where it is not from the catalogue."""

    kind: str
    name: str
    title: str
    source: str
    is_varied: bool
    values: Sequence[SourcedValue]

    def row(self) -> dict[str, object]:
        return {
            "kind": self.kind,
            "name": self.name,
            "title": self.title,
            "source": self.source,
            "is_varied": self.is_varied,
            "num_values": len(self.values),
            "num_estimates": sum(one.is_estimate for one in self.values),
        }


def provenance_of(scenario: Scenario, replications: Sequence[RunTables]) -> dict[str, object]:
    """Entries, estimates and notes as plain values, for ``summary.json``."""
    sources = list(_sources(scenario))
    return {
        "entries": [source.row() for source in sources],
        "estimates": [
            _estimate(f"{source.kind}/{source.name}", one)
            for source in sources
            for one in source.values
            if one.is_estimate
        ],
        "notes": [
            *_prices_of_others(scenario, sources),
            *_extrapolations(scenario, replications),
            *_assumed_power(scenario),
            *_links_without_effect(scenario),
            *_late_samples(scenario),
        ],
    }


def _sources(scenario: Scenario) -> Iterator[_Source]:
    names = _relevant_names(scenario)
    for kind, entry in _entries(scenario):
        is_known = entry.name in entry_names(kind)
        is_varied = not (is_known and entry == load_entry(kind, entry.name))
        values = (
            [one for one in provenance(kind, entry.name) if _concerns(one.path, names)] if is_known else []
        )
        yield _Source(kind, entry.name, entry.title, entry.source, is_varied, values)
    for name, is_varied in dict(_presets(scenario)).items():
        about = entry_mapping(TRAFFIC, name)
        values = provenance(TRAFFIC, name)
        yield _Source(TRAFFIC, name, str(about["title"]), str(about["source"]), is_varied, values)


def _estimate(entry: str, one: SourcedValue) -> dict[str, object]:
    return {"entry": entry, "path": one.path, "value": one.value_text, "why": one.why}


def _entries(scenario: Scenario) -> Iterator[tuple[str, Entry]]:
    """The entries that the scenario uses, each once, those that decide latency first."""
    node = scenario.cluster.node
    accelerator = scenario.cluster.installed_accelerator
    found: list[tuple[str, Entry]] = []
    for serving in (pool for one in scenario.serving.values() for pool in one.pools):
        found += [("engines", serving.engine), ("efficiency", resolve_efficiency(serving, accelerator))]
        found += [("models", serving.model)]
    for job in scenario.training.values():
        found += _training_entries(job)
    found += [("accelerators", accelerator), ("nodes", node)]
    found += [("links", load_entry("links", name)) for name in (node.scale_up, node.scale_out)]
    if scenario.training:
        found += [("collectives", one) for one in measured_on(node)]
    found += _cluster_entries(scenario)
    if scenario.facility:
        found += [("sites", scenario.facility.site)]
    if scenario.economics:
        found += [("prices", scenario.economics.prices)]
    seen: list[tuple[str, Entry]] = []
    for one in found:
        if one not in seen:
            seen.append(one)
            yield one


def _training_entries(job: TrainingJob) -> Iterator[tuple[str, Entry]]:
    """The entries of a training job."""
    yield "software", job.software
    yield "models", job.model
    if job.teacher is not None:
        yield "models", job.teacher
    if job.kind is JobKind.RL and job.rollout is not None:
        yield "engines", job.rollout.engine


def _cluster_entries(scenario: Scenario) -> Iterator[tuple[str, Entry]]:
    """The entries of fabric, stores and failures."""
    fabric = scenario.cluster.fabric
    if fabric is not None and fabric.link is not None:
        yield "links", fabric.link
    for store in scenario.cluster.storage.values():
        yield "storage", store.base
        if store.cache is not None:
            yield "storage", store.cache.base
    if scenario.reliability is not None and scenario.reliability.preset.causes:
        yield "reliability", scenario.reliability.preset


def _presets(scenario: Scenario) -> Iterator[tuple[str, bool]]:
    """The traffic presets that the scenario names, and whether it varies them."""
    sections = scenario.document.get("serving") or {}
    assert isinstance(sections, dict)
    for section in sections.values():
        traffic = section["traffic"]
        name = traffic.get("base") if isinstance(traffic, dict) else traffic
        if isinstance(name, str):
            yield name, isinstance(traffic, dict)


def _relevant_names(scenario: Scenario) -> set[str]:
    """Names that stand for what the scenario uses: its node, its accelerator and its datatypes."""
    names = {scenario.cluster.node.name, scenario.cluster.installed_accelerator.name}
    for serving in scenario.serving.values():
        if serving.precision:
            names |= {str(datatype) for _, datatype in serving.precision}
        else:
            names.add(str(serving.model.native_datatype))
    return names | {str(job.precision) for job in scenario.training.values()}


def _concerns(path: str, names: set[str]) -> bool:
    """Whether a value matters here: no price of another node, no peak of a datatype that is not used."""
    parts = path.split(".")
    if any(part in set(Datatype) and part not in names for part in parts):
        return False
    return parts[0] not in _BY_NAME or len(parts) < 2 or parts[1] in names


def _prices_of_others(scenario: Scenario, sources: Sequence[_Source]) -> Iterator[str]:
    """A note for hardware that was varied but is priced as the entry that it was varied from."""
    if scenario.economics is None:
        return
    for source in sources:
        if source.kind in ("nodes", "accelerators") and source.is_varied and source.values:
            book = scenario.economics.prices.name
            yield f"{source.name} is varied, but {book} prices it as the unvaried {source.name}"


def _extrapolations(scenario: Scenario, replications: Sequence[RunTables]) -> Iterator[str]:
    """A note for each workload whose steps or contexts lie beyond what its profile was fitted on."""
    for name, serving in scenario.serving.items():
        profile = resolve_efficiency(serving, scenario.cluster.installed_accelerator)
        most = {
            "steps": (max(_largest_step(tables[name]) for tables in replications), profile.valid.max_tokens),
            "contexts": (
                max(_longest_context(tables[name]) for tables in replications),
                profile.valid.max_context_tokens,
            ),
        }
        for what, (found, covered) in most.items():
            if found > covered:
                yield (
                    f"{name}: {what} of up to {found:,} tokens, but the efficiency profile {profile.name} "
                    f"covers {covered:,}: beyond that its times are extrapolated"
                )


def _assumed_power(scenario: Scenario) -> Iterator[str]:
    """A note for jobs of a trace, or drawn ones, of which nobody knows what their accelerators do."""
    if scenario.jobs is not None and (scenario.jobs.trace is not None or scenario.jobs.arrivals is not None):
        percent = f"{scenario.jobs.accelerator_use_frac:.0%}".replace("%", " %")
        yield (
            f"jobs: power is that of accelerators that work at {percent} of their rise above idle while "
            "they are held (jobs.accelerator_use), whatever they do"
        )


def _links_without_effect(scenario: Scenario) -> Iterator[str]:
    """A note for a fabric whose ports could do more than the node's own link, by which steps are timed."""
    fabric, name = scenario.cluster.fabric, scenario.cluster.node.scale_out
    if not scenario.training or fabric is None or fabric.link is None:
        return
    link, own = fabric.link, load_entry("links", name)
    assert isinstance(own, Link)
    is_faster = link.bytes_per_s * link.achievable_frac > own.bytes_per_s * own.achievable_frac
    if is_faster or (link.has_in_network_reduction and not own.has_in_network_reduction):
        yield (
            f"cluster.fabric.link: training steps are timed by the node's own link, {name}, and a better one "
            f"of the fabric makes none faster; for that, write cluster.node: {{base: "
            f"{scenario.cluster.node.name}, scale_out: LINK}}"
        )


def _late_samples(scenario: Scenario) -> Iterator[str]:
    """A note for each training job whose steps wait for samples, with what holds these up."""
    for name in scenario.training:
        reads = resolve_dataset_reads(scenario, resolve_training(scenario, name))
        if not reads.is_fast_enough:
            files = ""
            if scenario.training[name].dataset.bytes_per_file is not None:
                files = f", in files of {reads.bytes_per_file:.3g} B (dataset.samples_per_file)"
            yield (
                f"training.{name}: samples come at {reads.available_bytes_per_s:.3g} B/s at most, by the "
                f"{reads.bound_by}{files}; steps that never wait want {reads.wanted_bytes_per_s:.3g} B/s"
            )


def _largest_step(tables: ServingTables) -> int:
    num_tokens = floats(tables.steps, "num_prefill_tokens") + floats(tables.steps, "num_decodes")
    return int(np.max(num_tokens, initial=0))


def _longest_context(tables: ServingTables) -> int:
    requests = tables.requests
    num_tokens = floats(requests, "num_prompt_tokens") + floats(requests, "num_generated_tokens")
    has_run = ~np.isnan(floats(requests, "scheduled_at_s"))
    return int(np.max(num_tokens[has_run], initial=0))
