"""The performance model as a step timer: terms that depend on counts alone are tabulated once per run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from dcsim.formulas.deployment import Deployment
from dcsim.formulas.roofline import Floats, smooth_max_s
from dcsim.formulas.step_time import (
    decode_attention_time,
    host_time,
    prefill_costs,
    sampling_time,
    token_time,
)
from dcsim.policies.scheduler import Chunk
from dcsim.sim.serving.timer import ENDLESS, PrefillWork

_PROBE_CONTEXT_TOKENS = float(1 << 20)
_TwoFloats = tuple[float, float]


class FormulaTimer:
    """Step times from the formulas, tabulated over token and sequence counts."""

    def __init__(self, deployment: Deployment, max_num_seqs: int, max_num_batched_tokens: int) -> None:
        num_tokens = np.arange(max(max_num_batched_tokens, max_num_seqs) + 1, dtype=np.float64)
        num_seqs = np.arange(max_num_seqs + 1, dtype=np.float64)
        at_zero = decode_attention_time(deployment, num_seqs, 0.0 * num_seqs).total_s
        at_probe = decode_attention_time(deployment, num_seqs, 0.0 * num_seqs + _PROBE_CONTEXT_TOKENS).total_s
        slopes = (at_probe - at_zero) / _PROBE_CONTEXT_TOKENS
        self._deployment = deployment
        self._prefill_costs = prefill_costs(deployment)
        sampled_s = sampling_time(deployment, num_seqs).total_s + host_time(deployment, num_seqs).total_s
        self._token_s = _listed(token_time(deployment, num_tokens).total_s)
        self._sampled_s = _listed(sampled_s)
        self._attention_s = _listed(at_zero)
        self._slope_s = _listed(slopes)
        self._pieces = [
            (token_s + sampled_s + attention_s, slope_s, ENDLESS)
            for token_s, sampled_s, attention_s, slope_s in zip(
                self._token_s, self._sampled_s, self._attention_s, self._slope_s, strict=False
            )
        ]

    def mixed_s(
        self, num_decodes: int, decode_context_tokens: int, work: PrefillWork, chunks: Sequence[Chunk]
    ) -> float:
        """Time of a step with prompt chunks."""
        num_tokens, num_chunks, pairs, square, context_tokens, num_finished = work
        token_s, costs = self._token_s, self._prefill_costs
        total_tokens = num_tokens + num_decodes
        if total_tokens >= len(token_s):  # a prompt longer than the budget that runs alone
            base_s = float(token_time(self._deployment, float(total_tokens)).total_s)
        else:
            base_s = token_s[total_tokens]
        seconds = (
            base_s
            + self._sampled_s[num_decodes + num_finished]
            + costs.launch_s
            + smooth_max_s(*cast(_TwoFloats, costs.parts_s(num_chunks, pairs, square, context_tokens)))
        )
        if num_decodes:
            seconds += self._attention_s[num_decodes] + self._slope_s[num_decodes] * decode_context_tokens
        return seconds

    def decode_piece(self, num_decodes: int, context_tokens: int) -> tuple[float, float, int]:
        """One affine piece: attention reads every cached token, the rest depends on the count alone."""
        return self._pieces[num_decodes]


def _listed(values: Floats) -> list[float]:
    """Values over the counts 0, 1, 2, ... as plain floats."""
    listed: list[float] = np.asarray(values, dtype=np.float64).tolist()
    return listed
