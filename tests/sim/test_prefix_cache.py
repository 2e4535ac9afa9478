from dcsim.sim.serving.prefix_cache import PrefixCache


def filled(num_blocks: int = 10, shared: int = 4) -> PrefixCache:
    """A cache in which one request has computed a prefix and still uses it."""
    cache = PrefixCache(num_blocks)
    cache.take(shared)
    cache.register(0, 0, shared)
    return cache


def test_an_unknown_prefix_is_not_cached():
    assert PrefixCache(10).num_hit_blocks(0, 4) == (0, 0)


def test_a_prefix_in_use_is_cached_and_in_use():
    assert filled().num_hit_blocks(0, 4) == (4, 4)


def test_a_released_prefix_stays_cached_but_idle():
    cache = filled()
    assert cache.release(0, 4) == 4
    assert cache.num_hit_blocks(0, 4) == (4, 0)


def test_blocks_become_free_only_when_the_last_user_lets_go():
    cache = filled()
    cache.reference(0, 4)
    assert cache.release(0, 4) == 0
    assert cache.release(0, 4) == 4


def test_blocks_never_used_are_taken_before_cached_ones():
    cache = filled()
    cache.release(0, 4)
    cache.take(6)
    assert cache.num_hit_blocks(0, 4) == (4, 0)


def test_a_prefix_loses_its_last_blocks_first():
    cache = filled()
    cache.release(0, 4)
    cache.take(7)
    assert cache.num_hit_blocks(0, 4) == (3, 0)


def test_the_least_recently_used_blocks_go_first():
    cache = PrefixCache(8)
    for prefix in (0, 1):
        cache.take(4)
        cache.register(prefix, 0, 4)
    cache.release(0, 4)
    cache.release(1, 4)
    cache.take(4)
    assert cache.num_hit_blocks(0, 4) == (0, 0)
    assert cache.num_hit_blocks(1, 4) == (4, 0)


def test_using_a_prefix_again_saves_it_from_eviction():
    cache = filled(num_blocks=8)
    cache.release(0, 4)
    cache.reference(0, 4)
    cache.take(4)
    assert cache.num_hit_blocks(0, 4) == (4, 4)


def test_private_blocks_freed_later_are_reused_after_the_prefix():
    cache = filled(num_blocks=6)
    cache.take(2)
    cache.release(0, 4)
    cache.give_back(2)
    cache.take(3)
    assert cache.num_hit_blocks(0, 4) == (1, 0)


def test_a_second_request_computing_the_same_prefix_keeps_its_copy_to_itself():
    cache = filled()
    assert cache.register(0, 0, 4) == 0
    assert cache.release(0, 4) == 4


def test_a_partly_computed_prefix_grows():
    cache = PrefixCache(10)
    cache.take(2)
    assert cache.register(0, 0, 2) == 2
    cache.take(2)
    assert cache.register(0, 2, 4) == 4
    assert cache.release(0, 4) == 4
