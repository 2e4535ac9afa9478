"""Generation of samples between training steps (reinforcement learning), by the formulas of serving."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dcsim.formulas.deployment import Deployment
from dcsim.formulas.step_time import StepWork, step_time


@dataclass(frozen=True, slots=True)
class GenerationPhase:
    """The samples of one training step that one copy of the model generates."""

    num_samples: int
    num_concurrent: int  # at most so many at once
    num_prompt_tokens: int
    num_output_tokens: float  # the mean sample's
    length_tail_factor: float = 1.0  # longest sample over the mean


def generation_s(deployment: Deployment, phase: GenerationPhase) -> float:
    """Time in which one copy generates its samples; the phase ends with the longest.

    n samples, c at a time: n prompts are read, n o / c steps of c sequences with the mean context follow, and
    (tail - 1) o steps of the longest sample alone, timed as in serving (:mod:`dcsim.formulas.step_time`).
    Asynchronous training that starts on finished samples is not modelled.
    """
    count, output = min(phase.num_concurrent, phase.num_samples), phase.num_output_tokens
    if count == 0:
        return 0.0
    prompt = float(phase.num_prompt_tokens)
    context = prompt + 0.5 * output
    read = StepWork(
        num_tokens=prompt,
        num_prefill_chunks=1.0,
        prefill_square=prompt * prompt,
        prefill_context_tokens=prompt,
        num_sampled=1.0,
    )
    steps = math.ceil(phase.num_samples / count) * output
    longest = (phase.length_tail_factor - 1.0) * output
    return (
        phase.num_samples * _total_s(deployment, read)
        + steps * _total_s(deployment, _decode(count, context))
        + longest * _total_s(deployment, _decode(1, prompt + phase.length_tail_factor * output))
    )


def _decode(num_sequences: int, context_tokens: float) -> StepWork:
    count = float(num_sequences)
    return StepWork(
        num_tokens=count,
        num_decodes=count,
        decode_context_tokens=count * context_tokens,
        num_sampled=count,
    )


def _total_s(deployment: Deployment, work: StepWork) -> float:
    return float(step_time(deployment, work).total_s)
