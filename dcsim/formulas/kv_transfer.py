"""The KV cache of a prompt on its way from the replica that computed it to the one that decodes."""

from __future__ import annotations

from dcsim.formulas.deployment import Deployment
from dcsim.formulas.linear_attention import state_bytes
from dcsim.formulas.memory import kv_bytes_per_token_per_accelerator


def kv_transfer_bytes(d: Deployment, num_tokens: float) -> float:
    """Bytes that a replica of the deployment ``d`` is sent for a prompt of so many tokens.

    All that its accelerators keep of it: heads that are copied to several of them, as the latent of MLA is,
    are sent to each; the states of linear attention do not depend on the prompt. Tokens count, not blocks.

    Example: Llama-3.1-8B keeps 2 x 8 heads x 128 x 32 layers x 2 bytes = 131,072 bytes per token in 16 bits,
    whatever its tensor-parallel size up to 8; a prompt of 1,000 tokens is 131 MB.
    """
    num_accelerators = d.tensor * d.pipeline
    linear = d.shape.linear
    states = 0.0 if linear is None else state_bytes(d) * linear.num_layers * d.tensor
    return kv_bytes_per_token_per_accelerator(d) * num_tokens * num_accelerators + states


def strands(num_sources: int, num_destinations: int) -> list[tuple[int, int]]:
    """Equal parts of a KV cache, each from one accelerator of the source to one of the destination.

    Ranks lie side by side: with twice as many on one side, each of the other has two strands.

    >>> strands(2, 4)
    [(0, 0), (0, 1), (1, 2), (1, 3)]
    """
    count = max(num_sources, num_destinations)
    return [(part * num_sources // count, part * num_destinations // count) for part in range(count)]


def strand_frac(num_sources: int, num_destinations: int) -> float:
    """What a strand gets of the rate of an accelerator, which it shares with its other strands."""
    more, fewer = max(num_sources, num_destinations), min(num_sources, num_destinations)
    return 1.0 / -(-more // fewer)
