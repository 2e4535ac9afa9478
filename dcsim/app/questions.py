"""Worked questions: a scenario of the gallery, at the values of one field that it asks to choose from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    """A question by its key among the texts."""

    key: str
    scenario: str
    path: str
    values: tuple[str, ...]


QUESTIONS = (
    Question("hardware", "h100-or-b200", "cluster.node", ("dgx-h100", "dgx-b200")),
    Question("batch", "batch-limit-h200", "serving.chat.scheduler.max_num_seqs", ("32", "64", "128")),
    Question("place", "azure-conv", "facility.site", ("us-iowa", "sweden", "singapore")),
    Question("finetune", "lora-70b", "cluster.node", ("dgx-h100", "dgx-h200", "dgx-b200")),
    Question(
        "checkpoint", "checkpoint-interval", "training.pretrain.checkpoint.interval", ("auto", "1 h", "6 h")
    ),
    Question("queue", "philly-month", "jobs.scheduler", ("fifo", "easy_backfill", "shortest_job")),
)
