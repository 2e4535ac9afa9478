"""What every scheduler is: a choice of this step's decodes and prompt chunks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol, TypeAlias

from pydantic import Field

from dcsim.plugins import Policy
from dcsim.units import Fraction


class Pending(Protocol):
    """A request with prompt tokens still to compute, as schedulers see it."""

    @property
    def num_computed_tokens(self) -> int:
        """Tokens whose keys and values are in the cache."""

    @property
    def num_target_tokens(self) -> int:
        """Tokens to compute before it can decode: prompt, and what it had generated before a preemption."""

    @property
    def num_held_blocks(self) -> int:
        """KV blocks that need not be taken for it: its own, and cached ones that others use at the moment."""


@dataclass(slots=True)
class Budget:
    """What one step may use. An engine keeps one and renews the counts before each step."""

    num_tokens: int
    num_seqs: int  # sequences that may still be admitted
    num_free_blocks: int
    num_watermark_blocks: int  # blocks that must stay free when a request is admitted
    block_size: int


Chunk: TypeAlias = tuple[Pending, int]  # a request, and so many of its prompt tokens to compute in this step


class StepPlan(NamedTuple):
    """One step: whether the running decodes take part, and the prompt chunks."""

    has_decodes: bool
    chunks: Sequence[Chunk]  # of prefilling requests first, then of admitted ones
    num_admitted: int  # so many waiting requests are admitted: the last chunks are theirs


class Scheduler(Policy):
    """Base of all schedulers. Options left out take the engine's defaults."""

    reserves_whole_prompt: ClassVar[bool]  # blocks for the whole prompt are taken when it is admitted
    interrupts_decodes: ClassVar[bool] = False  # a step with prompts has no decodes: what an estimate assumes

    max_num_seqs: int | None = Field(default=None, gt=0, le=65536, description="Cap on running sequences.")
    max_num_batched_tokens: int | None = Field(
        default=None, gt=0, le=1048576, description="Cap on tokens in one step."
    )
    watermark_frac: Fraction | None = Field(
        default=None, alias="watermark", description="Share of KV blocks kept free when admitting a request."
    )

    admission_interval: int = Field(
        default=1,
        gt=0,
        le=10_000,
        description="Decode steps between looks at new requests (SGLang's --scheduler-recv-interval).",
    )
    admission_wait: int = Field(
        default=0,
        ge=0,
        le=10_000,
        description="Steps that a new request is held back while others decode, so that prompts come "
        "together (TensorRT-LLM's batch_wait_timeout_iters).",
    )

    @abstractmethod
    def schedule(
        self, waiting: Iterable[Pending], prefilling: Sequence[Pending], num_decodes: int, budget: Budget
    ) -> StepPlan:
        """Choose the next step.

        ``waiting`` and ``prefilling`` are in order of service; ``num_decodes`` sequences are ready to
        decode one token each. The blocks that the decodes need are already taken off the budget, their
        tokens are not. Waiting requests are admitted in order, and the first that cannot be admitted
        blocks the others: engines rely on it when they jump. Nobody is admitted on blocks that a prompt
        under way needs.
        """
