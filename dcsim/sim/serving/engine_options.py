"""What an engine is told once, before it runs."""

from __future__ import annotations

from dataclasses import dataclass

from dcsim.policies.scheduler import Scheduler
from dcsim.sim.serving.admission_gate import AdmissionGate
from dcsim.sim.serving.prefix_cache import PrefixCache


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What an engine is told once."""

    scheduler: Scheduler
    max_num_seqs: int
    max_num_batched_tokens: int
    num_blocks: int
    block_size: int
    num_watermark_blocks: int = 0
    num_prefix_blocks: int = 0  # whole blocks of the shared prefix; 0 turns the prefix cache off
    max_model_len: int | None = None
    max_queue: int | None = None
    request_timeout_s: float | None = None
    request_overhead_s: float = 0.0
    is_asynchronous: bool = False  # a step is planned when the one before it starts
    admission_interval: int = 1
    admission_wait: int = 0
    decode_room_tokens: int | None = None  # of a lane that prompts' KV caches go to; None: decodes itself
    is_stepwise: bool = False  # one run per step: the twin that fast-forward is held against

    def prefix_cache(self) -> PrefixCache | None:
        """An empty prefix cache, if there is to be one."""
        if not self.num_prefix_blocks:
            return None
        return PrefixCache(self.num_blocks, self.block_size, self.num_prefix_blocks)

    def is_too_long(self, num_prompt_tokens: int, num_output_tokens: int) -> bool:
        """Whether a request can never be served: for the model, or for want of room in the KV cache."""
        num_tokens, room = num_prompt_tokens + num_output_tokens, self.num_blocks * self.block_size
        if self.max_model_len is not None and num_tokens > self.max_model_len:
            return True
        if self.decode_room_tokens is None:
            return num_tokens - 1 > room
        return num_prompt_tokens > room or num_tokens - 1 > self.decode_room_tokens

    def admission_gate(self) -> AdmissionGate | None:
        """A gate before the queue; None where the engine looks before every step."""
        if self.admission_interval == 1 and not self.admission_wait:
            return None
        return AdmissionGate(self.admission_interval, self.admission_wait)
