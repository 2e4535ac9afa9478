import math

from hypothesis import given
from hypothesis import strategies as st

from dcsim.sim.serving.jump import jump
from dcsim.sim.serving.timer import ENDLESS


class Pieces:
    """A step-time curve of two affine pieces."""

    def __init__(self, intercept_s: float, slope_s: float, bend: int) -> None:
        self.first, self.bend = (intercept_s, slope_s), bend

    def mixed_s(self, *_):
        raise AssertionError("a jump has no prompts")

    def decode_piece(self, num_decodes, context_tokens):
        if context_tokens < self.bend:
            return *self.first, self.bend
        return self.first[0] * 1.5, self.first[1], ENDLESS

    def step_s(self, context_tokens):
        intercept_s, slope_s, _ = self.decode_piece(1, context_tokens)
        return intercept_s + slope_s * context_tokens


curves = st.builds(Pieces, st.floats(1e-3, 0.1), st.floats(0, 1e-5), st.integers(0, 5000))
batches = st.tuples(st.integers(1, 64), st.integers(64, 4000), st.integers(1, 300))


def ends(curve, num_decodes, context, num_steps, started_at_s=0.0):
    times, now = [], started_at_s
    for step in range(num_steps):
        now += curve.step_s(context + step * num_decodes)
        times.append(now)
    return times


@given(curves, batches)
def test_a_jump_takes_as_long_as_its_steps_one_by_one(curve, batch):
    stepped = ends(curve, *batch)[-1]
    steps, end_s = jump(curve, *batch, 0.0, math.inf)
    assert steps == batch[2]
    assert abs(end_s - stepped) <= 1e-12 * batch[2] * stepped


@given(curves, batches, st.floats(0.001, 0.999), st.floats(0, 1e5))
def test_a_cut_lands_on_the_first_step_that_ends_at_or_after_the_instant(curve, batch, frac, started_at_s):
    times = ends(curve, *batch, started_at_s)
    instant = started_at_s + frac * (times[-1] - started_at_s)
    steps, end_s = jump(curve, *batch, started_at_s, instant)
    slack = 1e-9 * max(times[-1], 1.0)
    assert abs(end_s - times[steps - 1]) <= slack
    assert end_s >= instant - slack
    assert steps == 1 or times[steps - 2] < instant + slack
