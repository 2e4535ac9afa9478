"""GPU allocation of six placements at 130 % demand, as the artifact of FGD's paper has it.

Weng et al., "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient Descent",
USENIX ATC 2023; means of 10 seeds. Nothing is fitted. The traces are Alibaba's and not part of the project.
"""

import numpy as np
import pytest

from benchmarks.scheduling import (
    FIRST_SEED,
    NODES,
    PODS,
    PUBLISHED_PERCENT,
    allocation_percent,
    openb_requests,
    openb_shapes,
)

TOLERANCE_POINTS = 0.7
SPREAD_POINTS = 1.2  # of one seed about the mean: the artifact's own seeds spread so far
pytestmark = pytest.mark.skipif(
    not (PODS.is_file() and NODES.is_file()), reason="Alibaba's traces are not part of the project"
)


@pytest.mark.parametrize("name", ["random", "best_fit"])
def test_one_seed_lies_where_the_published_seeds_lie(name):
    percent = allocation_percent(name, openb_requests(), openb_shapes(), FIRST_SEED)
    assert percent == pytest.approx(PUBLISHED_PERCENT[name], abs=SPREAD_POINTS)


@pytest.mark.slow
def test_all_six_are_within_the_tolerance_and_in_order():
    requests, shapes = openb_requests(), openb_shapes()
    seeds = range(FIRST_SEED, FIRST_SEED + 10)
    found = {
        name: float(np.mean([allocation_percent(name, requests, shapes, seed) for seed in seeds]))
        for name in PUBLISHED_PERCENT
    }
    assert found == pytest.approx(PUBLISHED_PERCENT, abs=TOLERANCE_POINTS)
    assert list(found) == sorted(found, key=found.__getitem__)
