"""What both caches promise, the embedded one and Hazelcast's."""

import asyncio
import time
from uuid import uuid4

import pytest

from domain.ports.cache import Cache, CacheSpace

SPACES = [space for space in CacheSpace if space is not CacheSpace.COUNTERS]


def fresh_key() -> str:
    return uuid4().hex


@pytest.mark.parametrize("space", SPACES)
async def test_what_was_put_is_got(cache: Cache, space: CacheSpace) -> None:
    key = fresh_key()
    await cache.put(space, key, b"\x00value\xff", 60)
    assert await cache.get(space, key) == b"\x00value\xff"


@pytest.mark.parametrize("space", SPACES)
async def test_a_key_that_was_never_put_misses(cache: Cache, space: CacheSpace) -> None:
    assert await cache.get(space, fresh_key()) is None


@pytest.mark.parametrize("space", SPACES)
async def test_a_second_put_replaces_the_first_at_once(cache: Cache, space: CacheSpace) -> None:
    key = fresh_key()
    for number in range(20):
        await cache.put(space, key, b"%d" % number, 60)
        assert await cache.get(space, key) == b"%d" % number


@pytest.mark.parametrize("space", SPACES)
async def test_a_deleted_entry_is_gone_at_once(cache: Cache, space: CacheSpace) -> None:
    key = fresh_key()
    await cache.put(space, key, b"value", 60)
    assert await cache.get(space, key) == b"value"
    await cache.delete(space, key)
    assert await cache.get(space, key) is None


async def test_deleting_what_is_not_there_does_nothing(cache: Cache) -> None:
    await cache.delete(CacheSpace.TICKER, fresh_key())


async def test_spaces_do_not_share_keys(cache: Cache) -> None:
    key = fresh_key()
    await cache.put(CacheSpace.DEPTH, key, b"depth", 60)
    await cache.put(CacheSpace.TICKER, key, b"ticker", 60)
    assert await cache.get(CacheSpace.DEPTH, key) == b"depth"
    assert await cache.get(CacheSpace.TICKER, key) == b"ticker"
    assert await cache.get(CacheSpace.COUNTERS, key) is None


async def test_an_empty_value_is_a_value(cache: Cache) -> None:
    key = fresh_key()
    await cache.put(CacheSpace.LOGIN_SESSIONS, key, b"", 60)
    assert await cache.get(CacheSpace.LOGIN_SESSIONS, key) == b""


async def test_an_entry_lives_no_longer_than_its_time(cache: Cache) -> None:
    key = fresh_key()
    await cache.put(CacheSpace.LOGIN_SESSIONS, key, b"value", 2.0)
    asked = stored = time.monotonic()
    while await cache.get(CacheSpace.LOGIN_SESSIONS, key) is not None:
        assert asked - stored < 2.2, "the entry outlived its two seconds"
        await asyncio.sleep(0.02)
        asked = time.monotonic()


async def test_an_entry_put_for_no_time_is_not_kept_for_ever(cache: Cache) -> None:
    key = fresh_key()
    await cache.put(CacheSpace.LOGIN_SESSIONS, key, b"value", 0)
    asked = stored = time.monotonic()
    while await cache.get(CacheSpace.LOGIN_SESSIONS, key) is not None:
        assert asked - stored < 1.2, "zero was read as for ever"
        await asyncio.sleep(0.02)
        asked = time.monotonic()


async def test_a_counter_counts_from_one(cache: Cache) -> None:
    key = fresh_key()
    assert [await cache.increment(key, 60) for _ in range(5)] == [1, 2, 3, 4, 5]
    assert [await cache.increment(key, 60, amount) for amount in (10, 1)] == [15, 16]


async def test_counters_are_apart(cache: Cache) -> None:
    first, other = fresh_key(), fresh_key()
    assert await cache.increment(first, 60) == 1
    assert await cache.increment(other, 60) == 1
    assert await cache.increment(first, 60) == 2


async def test_increments_at_once_are_all_counted(cache: Cache) -> None:
    key = fresh_key()
    sums = await asyncio.gather(*(cache.increment(key, 60) for _ in range(20)))
    assert sorted(sums) == list(range(1, 21))


async def test_a_deleted_counter_starts_again(cache: Cache) -> None:
    key = fresh_key()
    assert [await cache.increment(key, 60) for _ in range(2)] == [1, 2]
    await cache.delete(CacheSpace.COUNTERS, key)
    assert await cache.increment(key, 60) == 1


async def test_a_counter_lives_from_its_first_increment_however_often_it_grows(cache: Cache) -> None:
    key = fresh_key()
    previous = await cache.increment(key, 6.0)
    asked = begun = time.monotonic()
    while (count := await cache.increment(key, 6.0)) == previous + 1:
        previous = count
        assert asked - begun < 6.5, "growing kept the counter alive"
        await asyncio.sleep(0.05)
        asked = time.monotonic()
    assert count == 1
    assert previous > 1
