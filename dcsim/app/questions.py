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
)
