"""Cross-field checks: what each value alone is right about, and together they contradict."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dcsim.catalog.loader import entry_names, load_entry
from dcsim.catalog.prices import OwnedPrices
from dcsim.errors import Problem, ScenarioError
from dcsim.plugins import policy_names
from dcsim.spec.cluster_checks import cluster_problems
from dcsim.spec.document import Document
from dcsim.spec.pools import prefill_problems
from dcsim.spec.serving import Serving
from dcsim.strict_yaml import YamlPath
from dcsim.validation import nearest
from dcsim.workloads.lengths.fixed import Fixed

if TYPE_CHECKING:
    from dcsim.spec.scenario import Scenario

WORKLOAD_SECTIONS = ("serving", "training", "jobs")  # a scenario has one of them at least
_WORKLOAD_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_SCENARIO_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def cross_field_problems(scenario: Scenario, source: Document) -> list[Problem]:
    """Every contradiction in a scenario whose fields are valid one by one."""
    problems = [*_scenario_problems(scenario, source), *_node_problems(scenario, source)]
    problems += cluster_problems(scenario, source)
    for name, serving in scenario.serving.items():
        path = ("serving", name)
        problems += _traffic_problems(scenario, serving, source, path)
        problems += _parallelism_problems(serving, source, path)
        problems += _engine_problems(serving, source, path)
        problems += _length_problems(serving, source, path)
        problems += _slo_problems(serving, source, path)
        problems += _problems_of_prefill_pool(serving, source, path)
    problems += prefill_problems(scenario, source)
    return problems


def _problems_of_prefill_pool(serving: Serving, source: Document, path: YamlPath) -> Iterator[Problem]:
    """Those of what the prefill replicas have of their own."""
    if serving.prefill is None:
        return
    own, path = serving.pools[-1], (*path, "prefill")
    if serving.prefill.parallelism is not None:
        yield from _parallelism_problems(own, source, path)
    if serving.prefill.engine is not None or serving.prefill.scheduler is not None:
        yield from _engine_problems(own, source, path)


def _scenario_problems(scenario: Scenario, source: Document) -> Iterator[Problem]:
    letters = "Use letters, digits, - and _, beginning with a letter or digit"
    if not _SCENARIO_NAME.fullmatch(scenario.name):
        yield source.problem(
            ("name",), "must be a short name, since output is named by it", scenario.name, letters
        )
    if not any(getattr(scenario, section) for section in WORKLOAD_SECTIONS):
        remedy = f"Add {' or '.join(WORKLOAD_SECTIONS)}"
        yield source.problem((), "there is nothing to simulate", remedy=remedy)
    for section, what in (("serving", "served model"), ("training", "training job")):
        for name in getattr(scenario, section):
            if not _WORKLOAD_NAME.fullmatch(name):
                yield source.problem((section, name), f"the name of a {what} is not usable", name, letters)
    duration_s = scenario.duration_s
    if duration_s is not None and scenario.warmup_s >= duration_s:
        message = f"must be shorter than the duration, {duration_s:g} s: nothing would be measured"
        yield source.problem(("warmup",), message, f"{scenario.warmup_s:g} s")


def _node_problems(scenario: Scenario, source: Document) -> Iterator[Problem]:
    node = scenario.cluster.node
    parts = {
        "accelerator": ("accelerators", node.accelerator),
        "cpu": ("accelerators", node.cpu),
        "scale_up": ("links", node.scale_up),
        "scale_out": ("links", node.scale_out),
        "host_link": ("links", node.host_link),
    }
    for key, (kind, name) in parts.items():
        if name not in entry_names(kind):
            message = f"no entry of that name among {kind}"
            yield source.problem(("cluster", "node", key), message, name, nearest(name, entry_names(kind)))
        else:
            yield from _entry_problems(kind, name)
    if scenario.economics is None:
        return
    prices, path = scenario.economics.prices, ("economics", "prices")
    if isinstance(prices, OwnedPrices):
        if node.name not in prices.node_capex_usd:
            remedy = f"Write {{base: {prices.name}, node_price: {{{node.name}: ... USD}}}}"
            yield source.problem(path, f"has no price for node {node.name}", remedy=remedy)
        return
    installed = scenario.cluster.accelerator
    accelerator = installed.name if installed else node.accelerator
    if accelerator not in prices.accelerator_usd_per_s:
        remedy = f"Write {{base: {prices.name}, accelerator_price: {{{accelerator}: ... USD/h}}}}"
        yield source.problem(path, f"has no price for accelerator {accelerator}", remedy=remedy)


def _entry_problems(kind: str, name: str) -> tuple[Problem, ...]:
    """The problems of a catalogue file itself."""
    try:
        load_entry(kind, name)
    except ScenarioError as error:
        return error.problems
    return ()


def _traffic_problems(
    scenario: Scenario, serving: Serving, source: Document, path: YamlPath
) -> Iterator[Problem]:
    traffic, path = serving.traffic, (*path, "traffic")
    if traffic.trace is not None:
        for key, given in (("arrivals", traffic.arrivals), ("lengths", traffic.lengths)):
            if given is not None:
                message = f"a trace and {key} exclude each other"
                yield source.problem((*path, key), message, remedy=f"Remove one, or set {key}: null")
        return
    for key, given in (("arrivals", traffic.arrivals), ("lengths", traffic.lengths)):
        if given is None:
            remedy = "Give a preset, arrivals and lengths, or a trace"
            yield source.problem((*path, key), "a required key is missing", remedy=remedy)
    if traffic.arrivals is None:
        return
    ends = (scenario.duration_s, traffic.num_requests, traffic.arrivals.default_num_requests)
    if all(end is None for end in (*ends, traffic.arrivals.default_duration_s)):
        remedy = "Set the scenario's duration, or traffic.num_requests"
        yield source.problem(path, "the arrivals never end", remedy=remedy)
    if (
        traffic.arrivals.concurrency is None
        and traffic.arrivals.mean_rate_per_s is None
        and all(end is None for end in ends[1:])
    ):
        yield source.problem(path, "a burst needs a number of requests", remedy="Set traffic.num_requests")


def _parallelism_problems(serving: Serving, source: Document, path: YamlPath) -> Iterator[Problem]:
    model, ranks, path = serving.model, serving.parallelism, (*path, "parallelism")
    if model.num_heads % ranks.tensor:
        message = f"must divide the model's {model.num_heads} heads"
        yield source.problem((*path, "tensor"), message, ranks.tensor)
    elif model.latent is None and model.num_kv_heads % ranks.tensor and ranks.tensor % model.num_kv_heads:
        message = f"must divide the model's {model.num_kv_heads} key-value heads, or be a multiple of them"
        yield source.problem((*path, "tensor"), message, ranks.tensor)
    if model.num_layers % ranks.pipeline:
        message = f"must divide the model's {model.num_layers} layers"
        yield source.problem((*path, "pipeline"), message, ranks.pipeline)
    if ranks.expert == 1:
        return
    if model.experts is None:
        yield source.problem((*path, "expert"), "must be 1: the model has no experts", ranks.expert)
    elif model.experts.num_experts % ranks.expert:
        message = f"must divide the model's {model.experts.num_experts} experts"
        yield source.problem((*path, "expert"), message, ranks.expert)
    if ranks.tensor % ranks.expert:
        message = f"must divide tensor, {ranks.tensor}: experts are spread over the tensor-parallel ranks"
        yield source.problem((*path, "expert"), message, ranks.expert)


def _engine_problems(serving: Serving, source: Document, path: YamlPath) -> Iterator[Problem]:
    scheduler, engine = serving.scheduler, serving.engine
    known = policy_names("dcsim.policies.schedulers")
    if scheduler is None and engine.scheduler not in known:
        at = (*path, "engine", "scheduler")
        yield source.problem(at, "unknown policy", engine.scheduler, nearest(engine.scheduler, known))
    max_num_seqs = (scheduler.max_num_seqs if scheduler else None) or engine.max_num_seqs
    max_tokens = (scheduler.max_num_batched_tokens if scheduler else None) or engine.max_num_batched_tokens
    if max_tokens < max_num_seqs:
        at = (*path, "scheduler", "max_num_batched_tokens")
        message = (
            f"must be at least max_num_seqs, {max_num_seqs}: each running sequence decodes one token a step"
        )
        yield source.problem(at, message, max_tokens)
    if serving.expert_skew and serving.model.experts is None and "prefill" not in path:
        yield source.problem(
            (*path, "expert_skew"), "must be 0: the model has no experts", serving.expert_skew
        )


def _length_problems(serving: Serving, source: Document, path: YamlPath) -> Iterator[Problem]:
    longest, traffic = serving.model.max_context_tokens, serving.traffic
    if serving.max_model_len is not None and serving.max_model_len > longest:
        message = f"must be at most the model's longest context, {longest}"
        yield source.problem((*path, "max_model_len"), message, serving.max_model_len)
    limit, lengths, prefix = serving.max_model_len or longest, traffic.lengths, traffic.shared_prefix
    if isinstance(lengths, Fixed) and lengths.num_prompt_tokens + lengths.num_output_tokens > limit:
        total = lengths.num_prompt_tokens + lengths.num_output_tokens
        message = f"prompt and output are {total} tokens, more than the longest that is served, {limit}"
        remedy = "Shorten them, or raise max_model_len" if limit < longest else "Shorten them"
        yield source.problem((*path, "traffic", "lengths"), message, remedy=remedy)
    at = (*path, "traffic", "shared_prefix", "tokens")
    if prefix is not None and isinstance(lengths, Fixed) and prefix.num_tokens > lengths.num_prompt_tokens:
        message = f"must be at most the prompt, {lengths.num_prompt_tokens} tokens, of which it is a part"
        yield source.problem(at, message, prefix.num_tokens, "Shorten it, or lengthen the prompt")
    elif prefix is not None and prefix.num_tokens >= limit:
        yield source.problem(at, f"must be less than the longest that is served, {limit}", prefix.num_tokens)


def _slo_problems(serving: Serving, source: Document, path: YamlPath) -> Iterator[Problem]:
    slo, path = serving.slo, (*path, "slo")
    limits = (slo.ttft_s, slo.tpot_s, slo.e2e_s)
    if "attainment_frac" in slo.model_fields_set and all(limit is None for limit in limits):
        yield source.problem(path, "has an attainment but no limit", remedy="Give ttft, tpot or e2e")
    if slo.ttft_s is not None and slo.e2e_s is not None and slo.ttft_s > slo.e2e_s:
        message = f"must be at most e2e, {slo.e2e_s:g} s: the first token comes before the last"
        yield source.problem((*path, "ttft"), message, f"{slo.ttft_s:g} s")
