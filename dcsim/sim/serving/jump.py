"""Fast-forward: how long k equal decode steps take, and which is the first to end at or after an instant.

While a batch of b sequences does not change, its summed context grows by b each step. Where step time
is affine in context, t = intercept + slope x context, k steps from context S take

    k (intercept + slope S) + slope b k (k - 1) / 2,

and the first step to end at or after an instant is the root of a quadratic. Timers whose curve has
several pieces are walked piece by piece.
"""

from __future__ import annotations

import math

from dcsim.sim.serving.timer import StepTimer


def jump_s(timer: StepTimer, num_decodes: int, context_tokens: int, num_steps: int) -> float:
    """Time that ``num_steps`` decode steps of ``num_decodes`` sequences take from a summed context."""
    intercept_s, slope_s, end = timer.decode_piece(num_decodes, context_tokens)
    if context_tokens + num_decodes * (num_steps - 1) < end:
        first_s = intercept_s + slope_s * context_tokens
        return num_steps * first_s + slope_s * num_decodes * (num_steps * (num_steps - 1) / 2)
    total_s, left = 0.0, num_steps
    while left:
        intercept_s, slope_s, end = timer.decode_piece(num_decodes, context_tokens)
        count = min(left, -(-(end - context_tokens) // num_decodes))
        first_s = intercept_s + slope_s * context_tokens
        total_s += count * first_s + slope_s * num_decodes * (count * (count - 1) / 2)
        context_tokens += num_decodes * count
        left -= count
    return total_s


def first_step_at(
    timer: StepTimer,
    num_decodes: int,
    context_tokens: int,
    num_steps: int,
    started_at_s: float,
    instant_s: float,
) -> tuple[int, float]:
    """The smallest number of steps (1 .. ``num_steps``) that ends at or after ``instant_s``, and its end.

    The caller knows that ``num_steps`` steps end after the instant.
    """
    total_s, done = 0.0, 0
    while True:
        intercept_s, slope_s, end = timer.decode_piece(num_decodes, context_tokens)
        count = min(num_steps - done, -(-(end - context_tokens) // num_decodes))
        first_s = intercept_s + slope_s * context_tokens
        growth_s = slope_s * num_decodes
        whole_s = total_s + (count * first_s + growth_s * (count * (count - 1) / 2))
        if started_at_s + whole_s >= instant_s or done + count == num_steps:
            break
        total_s = whole_s
        done += count
        context_tokens += num_decodes * count
    steps = _root(first_s, growth_s, instant_s - started_at_s - total_s, count)
    while steps < count and started_at_s + (total_s + _sum_s(first_s, growth_s, steps)) < instant_s:
        steps += 1
    while steps > 1 and started_at_s + (total_s + _sum_s(first_s, growth_s, steps - 1)) >= instant_s:
        steps -= 1
    return done + steps, started_at_s + (total_s + _sum_s(first_s, growth_s, steps))


def _sum_s(first_s: float, growth_s: float, num_steps: int) -> float:
    return num_steps * first_s + growth_s * (num_steps * (num_steps - 1) / 2)


def _root(first_s: float, growth_s: float, wanted_s: float, most: int) -> int:
    """About the number of steps whose times add up to ``wanted_s``: within one of the exact answer."""
    linear = first_s - growth_s / 2
    root = 2 * wanted_s / (linear + math.sqrt(max(linear * linear + 2 * growth_s * wanted_s, 0.0)))
    return min(max(math.ceil(root), 1), most)
