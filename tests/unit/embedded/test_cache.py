"""The embedded cache under a clock of the test's own."""

from datetime import UTC, datetime

from domain.ports.cache import CacheSpace
from infra.embedded.cache import MAX_ENTRIES, EmbeddedCache

SPACE = CacheSpace.TICKER


class FakeClock:
    def __init__(self) -> None:
        self.seconds = 1_000.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds


async def test_an_entry_lives_exactly_its_time() -> None:
    clock = FakeClock()
    cache = EmbeddedCache(clock)
    await cache.put(SPACE, "key", b"value", 0.5)
    clock.seconds += 0.499
    assert await cache.get(SPACE, "key") == b"value"
    clock.seconds += 0.001
    assert await cache.get(SPACE, "key") is None


async def test_an_entry_put_for_no_time_is_never_got() -> None:
    cache = EmbeddedCache(FakeClock())
    await cache.put(SPACE, "key", b"value", 0)
    assert await cache.get(SPACE, "key") is None


async def test_a_second_put_gives_a_new_life() -> None:
    clock = FakeClock()
    cache = EmbeddedCache(clock)
    await cache.put(SPACE, "key", b"old", 1)
    clock.seconds += 0.9
    await cache.put(SPACE, "key", b"new", 1)
    clock.seconds += 0.9
    assert await cache.get(SPACE, "key") == b"new"


async def test_a_counter_ends_at_its_first_increment_plus_its_time_and_starts_again() -> None:
    clock = FakeClock()
    cache = EmbeddedCache(clock)
    assert await cache.increment("key", 60) == 1
    clock.seconds += 59.9
    assert await cache.increment("key", 60) == 2
    clock.seconds += 0.1
    assert await cache.increment("key", 60) == 1


async def test_the_entry_used_longest_ago_makes_room() -> None:
    cache = EmbeddedCache(FakeClock(), {**MAX_ENTRIES, SPACE: 3})
    for key in ("a", "b", "c"):
        await cache.put(SPACE, key, key.encode(), 60)
    assert await cache.get(SPACE, "a") == b"a"
    await cache.put(SPACE, "d", b"d", 60)
    assert [await cache.get(SPACE, key) for key in ("a", "b", "c", "d")] == [b"a", None, b"c", b"d"]


async def test_a_full_space_takes_no_room_from_another() -> None:
    cache = EmbeddedCache(FakeClock(), {**MAX_ENTRIES, SPACE: 1})
    await cache.put(CacheSpace.LOGIN_SESSIONS, "token", b"user", 60)
    for number in range(10):
        await cache.put(SPACE, f"{number}", b"", 60)
    assert await cache.get(CacheSpace.LOGIN_SESSIONS, "token") == b"user"


async def test_replacing_an_entry_of_a_full_space_pushes_nobody_out() -> None:
    cache = EmbeddedCache(FakeClock(), {**MAX_ENTRIES, SPACE: 2})
    await cache.put(SPACE, "a", b"a", 60)
    await cache.put(SPACE, "b", b"b", 60)
    await cache.put(SPACE, "b", b"B", 60)
    assert [await cache.get(SPACE, key) for key in ("a", "b")] == [b"a", b"B"]


async def test_a_closed_cache_has_forgotten_everything() -> None:
    cache = EmbeddedCache(FakeClock())
    await cache.put(SPACE, "key", b"value", 60)
    await cache.close()
    assert await cache.get(SPACE, "key") is None
