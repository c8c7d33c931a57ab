import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ports.market_data import VenueUnreachable
from infra.venues.rate_limit.rate_limiter import Priority, RateLimiter, request_priority
from infra.venues.rate_limit.windows import TokenBucket
from tests.support.clocks import ManualClock


async def would_wait(limiter: RateLimiter, weight: int, priority: Priority) -> bool:
    with request_priority(priority):
        acquiring = asyncio.create_task(limiter.acquire(weight))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    done = acquiring.done()
    acquiring.cancel()
    await asyncio.gather(acquiring, return_exceptions=True)
    return not done


async def test_history_waits_where_live_data_and_trading_still_go() -> None:
    limiter = RateLimiter(ManualClock(), weight_per_minute=100)
    limiter.observe(200, {"x-mbx-used-weight-1m": "70"})
    assert await would_wait(limiter, 1, Priority.HISTORY)
    assert not await would_wait(limiter, 1, Priority.LIVE)
    limiter.observe(200, {"x-mbx-used-weight-1m": "95"})
    assert await would_wait(limiter, 1, Priority.LIVE)
    assert not await would_wait(limiter, 1, Priority.TRADING)
    limiter.observe(200, {"x-mbx-used-weight-1m": "100"})
    with request_priority(Priority.TRADING), pytest.raises(VenueUnreachable, match="used up"):
        await limiter.acquire(1)


async def test_a_new_minute_frees_the_budget() -> None:
    clock = ManualClock()
    limiter = RateLimiter(clock, weight_per_minute=100)
    limiter.observe(200, {"x-mbx-used-weight-1m": "100"})
    clock.move(60)
    assert limiter.used == 0
    assert not await would_wait(limiter, 1, Priority.HISTORY)


async def test_what_is_taken_counts_before_the_venue_reports_it() -> None:
    limiter = RateLimiter(ManualClock(), weight_per_minute=100)
    await limiter.acquire(50)
    assert limiter.used == 50
    assert await would_wait(limiter, 41, Priority.LIVE)
    assert not await would_wait(limiter, 40, Priority.LIVE)


async def test_a_call_heavier_than_its_share_is_made_in_a_fresh_minute() -> None:
    limiter = RateLimiter(ManualClock(), weight_per_minute=10)
    assert not await would_wait(limiter, 50, Priority.HISTORY)


@pytest.mark.parametrize("status", [418, 429])
async def test_a_ban_stops_all_requests_for_as_long_as_the_venue_asks(status: int) -> None:
    clock = ManualClock()
    limiter = RateLimiter(clock)
    limiter.observe(status, {"retry-after": "7"})
    with request_priority(Priority.TRADING), pytest.raises(VenueUnreachable) as banned:
        await limiter.acquire(1)
    assert banned.value.retry_after_seconds == 7
    clock.move(7)
    await limiter.acquire(1)


async def test_a_ban_without_a_time_still_silences() -> None:
    limiter = RateLimiter(ManualClock())
    limiter.observe(429, {})
    assert limiter.banned_seconds == 10


async def start_acquire(
    limiter: RateLimiter, name: str, weight: float, priority: Priority, done: list[str]
) -> asyncio.Task[None]:
    """Begin to take, and let it wait."""

    async def acquire() -> None:
        with request_priority(priority):
            await limiter.acquire(weight)
        done.append(name)

    task = asyncio.create_task(acquire())
    await asyncio.sleep(0)
    return task


async def test_a_new_minute_lets_live_data_go_before_history_that_came_first() -> None:
    clock = ManualClock()
    limiter, done = RateLimiter(clock, weight_per_minute=100), list[str]()
    limiter.observe(200, {"x-mbx-used-weight-1m": "95"})
    history = await start_acquire(limiter, "history", 10, Priority.HISTORY, done)
    live = await start_acquire(limiter, "live", 10, Priority.LIVE, done)
    clock.move(30)
    limiter.observe(200, {"x-mbx-used-weight-1m": "0"})
    await asyncio.gather(history, live)
    assert done == ["live", "history"]


async def test_an_order_passes_history_that_waits() -> None:
    limiter, done = RateLimiter(ManualClock(), weight_per_minute=100), list[str]()
    limiter.observe(200, {"x-mbx-used-weight-1m": "60"})
    history = [await start_acquire(limiter, f"history {number}", 10, Priority.HISTORY, done) for number in range(50)]
    order = await start_acquire(limiter, "order", 40, Priority.TRADING, done)
    assert order.done()
    assert done == ["order"]
    assert limiter.waiting == 50
    for task in history:
        task.cancel()
    await asyncio.gather(*history, return_exceptions=True)
    assert limiter.waiting == 0


async def test_history_that_has_waited_a_minute_counts_as_live_data() -> None:
    clock = ManualClock()
    limiter, done = RateLimiter(clock, weight_per_minute=100), list[str]()
    limiter.observe(200, {"x-mbx-used-weight-1m": "80"})
    history = await start_acquire(limiter, "history", 5, Priority.HISTORY, done)
    assert not done
    clock.move(61)
    limiter.observe(200, {"x-mbx-used-weight-1m": "80"})
    await history
    assert done == ["history"]


async def test_what_the_venue_counted_doesnt_hide_what_is_still_under_way() -> None:
    limiter = RateLimiter(ManualClock(), weight_per_minute=100)

    async def answer(used_weight: str) -> None:
        await limiter.acquire(10)
        with limiter.reserve(10):
            limiter.observe(200, {"x-mbx-used-weight-1m": used_weight})

    await limiter.acquire(30)
    with limiter.reserve(30):
        await asyncio.create_task(answer("10"))
    assert limiter.used == 40


async def test_an_answer_of_the_last_minute_does_not_count_in_this_one() -> None:
    clock = ManualClock()
    limiter = RateLimiter(clock, weight_per_minute=100)
    await limiter.acquire(1)
    with limiter.reserve(1):
        clock.move(60)
        limiter.observe(200, {"x-mbx-used-weight-1m": "99"})
    assert limiter.used == 0


async def test_minutes_are_the_venues_own_once_its_clock_is_known() -> None:
    clock = ManualClock()
    limiter = RateLimiter(clock, weight_per_minute=100)
    limiter.sync_clock(lambda: 1_700_000_040_000 - 20_000 + round(clock.monotonic() * 1000))
    limiter.observe(200, {"x-mbx-used-weight-1m": "100"})
    clock.move(20)
    assert limiter.used == 100
    clock.move(0.2)
    assert limiter.used == 0


async def test_a_shorter_word_of_silence_doesnt_end_a_longer_one() -> None:
    clock = ManualClock()
    limiter = RateLimiter(clock)
    limiter.observe(418, {"retry-after": "600"})
    limiter.observe(429, {"retry-after": "5"})
    limiter.observe(200, {})
    assert limiter.banned_seconds == 600


async def test_silence_reaches_those_who_wait_already() -> None:
    limiter, done = RateLimiter(ManualClock(), weight_per_minute=100), list[str]()
    limiter.observe(200, {"x-mbx-used-weight-1m": "100"})
    live = await start_acquire(limiter, "live", 1, Priority.LIVE, done)
    limiter.ban(30)
    with pytest.raises(VenueUnreachable, match="fewer requests"):
        await live


async def test_at_a_pace_history_pays_before_it_goes_so_that_an_order_goes_at_once() -> None:
    clock = ManualClock()
    limiter = RateLimiter(clock)
    limiter.use_token_bucket(1.0)
    assert not await would_wait(limiter, 1, Priority.HISTORY)
    assert await would_wait(limiter, 1, Priority.HISTORY)
    assert not await would_wait(limiter, 1, Priority.TRADING)
    clock.move(1)
    assert await would_wait(limiter, 1, Priority.LIVE)
    clock.move(1)
    assert not await would_wait(limiter, 1, Priority.LIVE)


@given(st.lists(st.tuples(st.floats(0, 3), st.sampled_from([0.6, 1.0])), max_size=60))
def test_a_pace_is_kept_over_any_time(calls: list[tuple[float, float]]) -> None:
    clock = ManualClock()
    bucket = TokenBucket(clock, 0.5)
    for count, (idle, share) in enumerate(calls):
        clock.move(idle)
        clock.move(bucket.seconds_until(1, share))
        bucket.consume(1)
        assert count + 1 <= 2 + clock.monotonic() / 0.5 + 1e-6
