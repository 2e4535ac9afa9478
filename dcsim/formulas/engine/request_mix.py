"""The mix of requests that an engine serves: moments of their lengths, and prompts that come together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

NUM_STRATA = 32
GROUP_SIZES = np.array([0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0])  # prompts that share a step


@dataclass(frozen=True, slots=True)
class RequestMix:
    """Requests, each as likely as the others: lengths in tokens, of which some are in the prefix cache."""

    num_prompt_tokens: Array
    num_cached_tokens: Array  # of the prompt, found in the prefix cache
    num_output_tokens: Array

    @property
    def num_new_tokens(self) -> Array:
        """Prompt tokens to compute."""
        return self.num_prompt_tokens - self.num_cached_tokens

    @property
    def mean_new_tokens(self) -> float:
        """Mean of the prompt tokens to compute."""
        return float(self.num_new_tokens.mean())

    @property
    def mean_num_decodes(self) -> float:
        """Decode steps of the mean request: its prompt gives the first token, each decode one more."""
        return float(self.num_output_tokens.mean()) - 1.0

    @property
    def mean_decode_context(self) -> float:
        """Tokens that the mean decode attends to; 0 if there are no decodes.

        The j-th decode of a request attends to P + j tokens, so that the mean over all decodes is
        (E[P (N - 1)] + E[N (N - 1)] / 2) / E[N - 1]: long outputs count with their length.

        >>> RequestMix(np.array([10.0]), np.array([0.0]), np.array([3.0])).mean_decode_context
        11.5
        """
        num_decodes = self.num_output_tokens - 1.0
        if not num_decodes.any():
            return 0.0
        contexts = self.num_prompt_tokens * num_decodes + self.num_output_tokens * num_decodes / 2.0
        return float(contexts.sum() / num_decodes.sum())

    @property
    def has_equal_lengths(self) -> bool:
        """Whether all requests are alike."""
        return all(bool(np.all(one == one[0])) for one in (self.num_prompt_tokens, self.num_output_tokens))


@dataclass(frozen=True, slots=True)
class PromptGroups:
    """Sums over the prompts of groups that come together: group sizes x groups.

    ``pairs`` and ``square`` are as in :class:`dcsim.formulas.step_time.StepWork`, each prompt in one chunk.
    """

    sizes: Array  # a column: sizes x 1
    num_tokens: Array
    pairs: Array
    square: Array
    context_tokens: Array


def prompt_groups(mix: RequestMix, rng: np.random.Generator) -> PromptGroups:
    """Groups of the sizes of ``GROUP_SIZES`` above 0, whose mean work is exactly that of the mix.

    The prompts are cut into strata of equal number by their new tokens, and every place in a group takes
    each stratum's mean once over all groups, in random order (McKay, Beckman, Conover, "A comparison of three
    methods for selecting values of input variables", Technometrics 21(2), 1979: Latin hypercube sampling).
    """
    new, order = mix.num_new_tokens, np.argsort(mix.num_new_tokens, kind="stable")
    places = np.tile(np.arange(NUM_STRATA), (int(GROUP_SIZES[-1]), 1))
    places[1:] = rng.permuted(places[1:], axis=1)
    ends = GROUP_SIZES[1:].astype(np.int64) - 1

    def sums(of_prompts: Array) -> Array:
        strata = stratum_means(of_prompts[order])
        return np.cumsum(strata[places], axis=0)[ends]

    return PromptGroups(
        sizes=GROUP_SIZES[1:, None],
        num_tokens=sums(new),
        pairs=sums(new * mix.num_cached_tokens),
        square=sums(new * new),
        context_tokens=sums(mix.num_prompt_tokens),
    )


def stratum_means(ordered: Array) -> Array:
    """Means of so many parts of equal length, of values in order; the last part takes what is left over."""
    edges = np.arange(NUM_STRATA) * (len(ordered) / NUM_STRATA)
    starts = np.minimum(edges.astype(np.int64), len(ordered) - 1)
    if len(ordered) < NUM_STRATA:
        return ordered[starts]
    counts = np.diff(np.append(starts, len(ordered)))
    means: Array = np.add.reduceat(ordered, starts) / counts
    return means
