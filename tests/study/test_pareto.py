from hypothesis import given
from hypothesis import strategies as st

from dcsim.study.pareto import dominates, pareto_front

COORDINATES = st.integers(0, 4).map(float)
POINTS = st.integers(1, 3).flatmap(lambda n: st.lists(st.tuples(*[COORDINATES] * n), max_size=8))


@given(POINTS)
def test_the_front_is_what_brute_force_finds(points: list[tuple[float, ...]]):
    beaten = set()
    for point in points:
        for other in points:
            gaps = [a - b for a, b in zip(point, other, strict=True)]
            if min(gaps) >= 0 and max(gaps) > 0:
                beaten.add(point)
    assert pareto_front(points) == tuple(point not in beaten for point in points)


@given(POINTS)
def test_whoever_is_not_on_the_front_is_beaten_by_someone_on_it(points: list[tuple[float, ...]]):
    is_on = pareto_front(points)
    front = [point for point, kept in zip(points, is_on, strict=True) if kept]
    rest = [point for point, kept in zip(points, is_on, strict=True) if not kept]
    assert bool(front) == bool(points)
    assert all(any(dominates(one, point) for one in front) for point in rest)


def test_equal_points_both_stay():
    assert pareto_front([(1.0, 1.0), (1.0, 1.0), (1.0, 2.0)]) == (True, True, False)
