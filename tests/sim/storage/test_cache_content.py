"""Cache content: against a cache of single items, and never more than fits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.formulas.dataset_reads import pinned_hit_frac
from dcsim.sim.storage.cache_content import CacheContent, Content

IMAGES = Content("images", 1000.0)


def test_nothing_is_found_in_the_first_epoch_and_the_pinned_share_in_later_ones() -> None:
    cache = CacheContent(300.0)
    assert cache.read(IMAGES, 1000.0) == (0.0, 300.0)
    hit, kept = cache.read(IMAGES, 1000.0)
    assert hit == pytest.approx(1000.0 * pinned_hit_frac(300.0, 1000.0))
    assert kept == 0.0


def test_billions_of_epochs_at_once_are_no_work_and_find_what_each_of_them_finds() -> None:
    cache = CacheContent(300.0)
    hit, kept = cache.read(IMAGES, 1000.0 * 10**9)
    assert hit == pytest.approx(300.0 * (10**9 - 1))
    assert kept == 300.0


@given(st.lists(st.floats(1.0, 400.0), min_size=1, max_size=20))
def test_an_epoch_in_pieces_finds_as_much_as_an_epoch_at_once(pieces: list[float]) -> None:
    at_once, piecewise = CacheContent(300.0), CacheContent(300.0)
    total = sum(pieces)
    assert sum(piecewise.read(IMAGES, piece)[0] for piece in pieces) == pytest.approx(
        at_once.read(IMAGES, total)[0], abs=1e-6
    )


def test_hits_are_those_of_a_cache_of_single_items_that_keeps_what_it_has() -> None:
    """Twin: 1,000 items in random orders; an item is kept if there is room."""
    rng, held, hits, num_epochs = np.random.default_rng(1), set(), 0, 5
    for _ in range(num_epochs):
        for item in rng.permutation(1000).tolist():
            if item in held:
                hits += 1
            elif len(held) < 300:
                held.add(item)
    cache = CacheContent(300.0)
    assert sum(cache.read(IMAGES, 1000.0)[0] for _ in range(num_epochs)) == pytest.approx(hits)


def test_what_is_written_is_found_at_once() -> None:
    cache = CacheContent(2000.0)
    cache.write(IMAGES)
    assert cache.read(IMAGES, 1000.0)[0] == pytest.approx(1000.0)


def test_a_new_content_takes_the_room_of_the_least_recently_used() -> None:
    cache = CacheContent(1000.0)
    for name in ("first", "second"):
        cache.read(Content(name, 500.0), 500.0)
    cache.read(Content("first", 500.0), 10.0)
    cache.write(Content("third", 400.0))
    assert cache.held_bytes("first") == 500.0
    assert cache.held_bytes("second") == 100.0


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.floats(0.0, 900.0)), min_size=1, max_size=30)
)
def test_a_cache_never_holds_more_than_fits_nor_finds_more_than_was_asked_for(
    work: list[tuple[str, bool, float]],
) -> None:
    cache = CacheContent(500.0)
    sizes = {"a": 200.0, "b": 450.0, "c": 900.0}
    for name, is_write, num_bytes in work:
        content = Content(name, sizes[name])
        if is_write:
            cache.write(content)
        else:
            hit, kept = cache.read(content, num_bytes)
            assert 0.0 <= hit <= num_bytes * (1 + 1e-9)
            assert kept <= num_bytes - hit + 1e-6
        assert cache.used_bytes <= 500.0 + 1e-6


def test_a_lost_node_takes_its_share() -> None:
    cache = CacheContent(1000.0)
    cache.write(Content("a", 800.0))
    cache.lose(0.25)
    assert cache.used_bytes == pytest.approx(600.0)


def test_nothing_of_nothing_is_found_and_nothing_hangs() -> None:
    assert CacheContent(10.0).read(Content("empty", 0.0), 5.0) == (0.0, 0.0)
