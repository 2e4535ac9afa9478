"""What the steps of an engine take, tabulated: decodes alone, and what prompts in a step add."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dcsim.formulas.deployment import Deployment
from dcsim.formulas.engine.request_mix import GROUP_SIZES, Array, PromptGroups, RequestMix
from dcsim.formulas.executed_work import executed_compute_s, executed_memory_s
from dcsim.formulas.power import PowerCurve, power_rise_w
from dcsim.formulas.step_time import StepWork, step_time

BEYOND_LIMIT = 2.1  # the tables reach to so many times the cap on sequences: would a higher cap help?
_MOST_EXACT = 1024  # decodes up to which every number is tabulated
_NUM_SPARSE = 64
_NUM_MIXED = 10  # numbers of decodes at which steps with prompts are tabulated, beside the smallest
_LEAST_MEAN, _MOST_MEAN = 1e-9, 100.0  # prompts in a step
_MOST_SUMMED = 160


@dataclass(frozen=True, slots=True)
class EngineRules:
    """What an engine may do in a step and how it lets requests in, as numbers."""

    max_num_seqs: int
    max_num_batched_tokens: int
    num_kv_tokens: int
    block_size: int
    num_prefix_tokens: int = 0  # of a prefix whose blocks requests share
    num_prefix_variants: int = 1
    num_lanes: int = 1
    request_overhead_s: float = 0.0
    is_asynchronous: bool = False  # a step is planned when the one before it starts
    interrupts_decodes: bool = False  # a step is prompts or decodes, never both
    reserves_whole_prompt: bool = False
    admission_interval: int = 1
    admission_wait: int = 0


@dataclass(frozen=True, slots=True)
class StepTable:
    """Time and energy above idle of steps; energy is that of one accelerator.

    Steps of decodes alone are over ``decode_counts``. What a group of prompts adds to the decodes' steps, in
    as many steps as the token budget makes of them, is over ``mixed_counts`` x ``GROUP_SIZES``: the means
    over groups of the time, of its square, of the energy, of the steps, and of the tokens (and their
    square) beyond the budget of one step.
    """

    decode_counts: Array
    decode_s: Array
    decode_j: Array
    mixed_counts: Array
    added_s: Array
    added_s2: Array
    added_j: Array
    num_steps: Array
    excess_tokens: Array
    excess_tokens2: Array
    prefilling_tokens: float  # prompt tokens of the prompt in work, mean over the time of prompts' steps

    def decodes_s(self, num_decodes: Array) -> Array:
        """Time of a step of decodes alone; between 0 and 1 the share of the time with one decode."""
        return np.interp(num_decodes, self.decode_counts, self.decode_s)

    def decodes_j(self, num_decodes: Array) -> Array:
        """Its energy above idle."""
        return np.interp(num_decodes, self.decode_counts, self.decode_j)

    def of_group(self, values: Array, num_decodes: Array, group_size: Array) -> Array:
        """An entry of the table for a group of prompts, linear between the entries and beyond the largest."""
        place = np.clip(np.searchsorted(GROUP_SIZES, group_size, side="right") - 1, 0, len(GROUP_SIZES) - 2)
        share = (group_size - GROUP_SIZES[place]) / np.diff(GROUP_SIZES)[place]
        weights = np.zeros((len(group_size), len(GROUP_SIZES)))
        rows = np.arange(len(group_size))
        weights[rows, place], weights[rows, place + 1] = 1.0 - share, share
        return self.weighted(values, num_decodes, weights)

    def weighted(self, values: Array, num_decodes: Array, weights: Array) -> Array:
        """A sum over group sizes of an entry of the table, with weights as of :func:`poisson_weights`."""
        counts = self.mixed_counts
        low = np.clip(np.searchsorted(counts, num_decodes, side="right") - 1, 0, len(counts) - 2)
        share = np.clip((num_decodes - counts[low]) / np.diff(counts)[low], 0.0, 1.0)[:, None]
        found: Array = (weights * (values[low] * (1.0 - share) + values[low + 1] * share)).sum(axis=1)
        return found


def poisson_weights(mean: Array) -> Array:
    """Weights of the entries of ``GROUP_SIZES`` in E[f(A)] / E[A], A being Poisson and f linear between them.

    A mean beyond 100 counts as 100: f per prompt hardly changes there.

    >>> bool(np.isclose(poisson_weights(np.array([3.0])) @ GROUP_SIZES, 1.0)[0])
    True
    """
    counts = np.arange(_MOST_SUMMED + 1.0)
    hats = np.stack([np.interp(counts, GROUP_SIZES, unit) for unit in np.eye(len(GROUP_SIZES))], axis=1)
    steepest = (counts[GROUP_SIZES[-1] < counts] - GROUP_SIZES[-1]) / (GROUP_SIZES[-1] - GROUP_SIZES[-2])
    hats[GROUP_SIZES[-1] < counts, -1] = 1.0 + steepest
    hats[GROUP_SIZES[-1] < counts, -2] = -steepest
    log_factorials = np.concatenate([[0.0], np.cumsum(np.log(counts[1:]))])
    few = np.clip(mean, _LEAST_MEAN, _MOST_MEAN)[:, None]
    chances = np.exp(counts * np.log(few) - few - log_factorials)
    weights: Array = chances @ hats / few
    return weights


def step_table(
    d: Deployment, mix: RequestMix, groups: PromptGroups, rules: EngineRules, curve: PowerCurve
) -> StepTable:
    """The table of a deployment: two calls of :func:`step_time`, one for each kind of step."""
    most = math.ceil(BEYOND_LIMIT * rules.max_num_seqs) + 1
    exact = np.arange(min(most, _MOST_EXACT) + 1.0)
    sparse = np.geomspace(_MOST_EXACT, most, _NUM_SPARSE)[1:] if most > _MOST_EXACT else np.empty(0)
    counts, context = np.concatenate([exact, sparse]), mix.mean_decode_context
    alone = StepWork(counts, counts, counts * context, num_sampled=counts)
    decode_s = np.where(counts > 0, step_time(d, alone).total_s, 0.0)
    decode_j = _rise_j(d, alone, decode_s, curve, rules.num_lanes)

    wanted = np.concatenate([[0.0, 1.0, 2.0], np.geomspace(4.0, most, _NUM_MIXED)])
    chosen = np.unique(np.minimum(np.searchsorted(counts, wanted), len(counts) - 1))
    beside = (chosen * (not rules.interrupts_decodes))[:, None, None]
    work, num_steps, excess = _mixed_work(groups, counts[beside], context, rules)
    seconds = np.asarray(step_time(d, work).total_s)
    joules = _rise_j(d, work, seconds, curve, rules.num_lanes)
    added_s, added_j = num_steps * (seconds - decode_s[beside]), num_steps * (joules - decode_j[beside])
    lone_s, lone_tokens = added_s[0, 0], groups.context_tokens[0]
    return StepTable(
        decode_counts=counts,
        decode_s=decode_s,
        decode_j=decode_j,
        mixed_counts=counts[chosen],
        added_s=np.maximum(_means(added_s), 0.0),  # measured kernels may be faster for a few rows more
        added_s2=_means(added_s * added_s),
        added_j=_means(added_j),
        num_steps=_means(num_steps),
        excess_tokens=_means(excess),
        excess_tokens2=_means(excess * excess),
        prefilling_tokens=float((lone_s * lone_tokens).sum() / lone_s.sum()),
    )


def _mixed_work(
    groups: PromptGroups, num_decodes: Array, context_tokens: float, rules: EngineRules
) -> tuple[StepWork, Array, Array]:
    """The work of one step of each group beside decodes, of how many steps it is, and the tokens left over.

    A group beyond the token budget is spread evenly over the fewest steps. A prompt that is cut into s chunks
    attends to the chunks before: of its square 1/s stays within chunks, and half of the rest becomes pairs.
    """
    room = np.maximum(rules.max_num_batched_tokens - num_decodes, 1.0)
    num_steps = np.ceil(groups.num_tokens / room)
    if rules.interrupts_decodes:  # whole prompts only
        num_steps = np.minimum(num_steps, groups.sizes)
    num_cuts = np.maximum(num_steps / groups.sizes, 1.0)
    reread = (groups.context_tokens * num_cuts - groups.num_tokens * (num_cuts - 1.0) / 2.0) / num_steps
    tokens = groups.num_tokens / num_steps + num_decodes
    work = StepWork(
        num_tokens=tokens,
        num_decodes=num_decodes + 0.0 * tokens,
        decode_context_tokens=num_decodes * context_tokens + 0.0 * tokens,
        num_prefill_chunks=groups.sizes * num_cuts / num_steps,
        prefill_pairs=(groups.pairs + groups.square * (1.0 - 1.0 / num_cuts) / 2.0) / num_steps,
        prefill_square=groups.square / num_cuts / num_steps,
        prefill_context_tokens=reread,
        num_sampled=num_decodes + groups.sizes / num_steps,
    )
    excess = np.maximum(groups.num_tokens - room, 0.0) * (not rules.interrupts_decodes)
    return work, num_steps, excess


def _rise_j(d: Deployment, work: StepWork, seconds: Array, curve: PowerCurve, num_lanes: int) -> Array:
    """Energy above idle that a step takes on each of its accelerators, as in the figures of a run."""
    duration_s = np.maximum(seconds, 1e-12)
    memory_use, compute_use = (
        executed_memory_s(d, work) / duration_s,
        executed_compute_s(d, work) / duration_s,
    )
    rise: Array = np.asarray(power_rise_w(curve, memory_use, compute_use, num_lanes)) * seconds
    return rise


def _means(values: npt.NDArray[np.float64]) -> Array:
    """Means over groups, with the empty group's 0 in front."""
    means = values.mean(axis=2)
    return np.concatenate([np.zeros((len(means), 1)), means], axis=1)
