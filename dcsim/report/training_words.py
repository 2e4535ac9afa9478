"""What the parts of a training step, of a job's time and of its memory are called."""

from __future__ import annotations

from collections.abc import Mapping

STEP_PARTS: Mapping[str, str] = {
    "compute": "compute",
    "memory": "memory traffic",
    "launch": "kernel launches",
    "recompute": "recomputation",
    "tensor": "tensor-parallel comm.",
    "context": "context-parallel comm.",
    "expert": "expert-parallel comm.",
    "pipeline": "pipeline sends",
    "data": "data-parallel comm.",
    "overlap": "slowed by comm. beside it",
    "bubble": "pipeline bubble",
    "optimizer": "optimizer",
    "offload": "offloading",
    "host": "host",
    "straggler": "stragglers",
    "input": "input data",
    "generation": "generation of samples",
}
PRODUCTIVE = "useful steps"
LOST_PARTS: Mapping[str, str] = {
    "queue": "waiting for nodes",
    "lost_work": "work undone by failures",
    "detect": "detection",
    "diagnose": "diagnosis",
    "wait": "waiting for a node",
    "swap": "swap of nodes",
    "staging": "staging of the data set",
    "reshuffle": "reshuffling between epochs",
    "initialize": "start of processes",
    "restore": "restore",
    "warmup": "warm-up",
    "checkpoint": "checkpoints",
    "shrink": "fewer replicas",
    "contention": "full or failed links",
    "input": "input data",
    "slow": "slow nodes",
}
MEMORY_TERMS: Mapping[str, str] = {
    "weight": "weights",
    "gradient": "gradients",
    "optimizer": "optimizer state",
    "gathered": "gathered weights",
    "activation": "activations",
    "logit": "logits",
    "reserved": "reserved",
}
FREE = "free"


def named(parts: Mapping[str, float], words: Mapping[str, str]) -> dict[str, float]:
    """The parts by what people call them, in the order of the words; others keep their names."""
    known = {words[name]: parts[name] for name in words if name in parts}
    return known | {name: size for name, size in parts.items() if name not in words}


def counted(labels: Mapping[str, str], counted_in: str) -> dict[str, str]:
    """The labels as a model counts them, in tokens or samples.

    >>> counted({"usd_per_million_tokens": "cost per M tokens"}, "samples")
    {'usd_per_million_tokens': 'cost per M samples'}
    """
    return {key: label.replace("token", counted_in.removesuffix("s")) for key, label in labels.items()}


def memory_parts(terms: Mapping[str, float], capacity_bytes: float) -> dict[str, float]:
    """The terms of an accelerator's memory, and what is free of it; those of nothing left out."""
    used = {name: size for name, size in named(terms, MEMORY_TERMS).items() if size}
    return {**used, FREE: max(capacity_bytes - sum(used.values()), 0.0)}
