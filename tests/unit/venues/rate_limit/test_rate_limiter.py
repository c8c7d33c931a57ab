import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ports.market_data import VenueUnreachable
from infra.venues.rate_limit.rate_limiter import Priority, RateLimiter, urgency
from infra.venues.rate_limit.windows import TokenBucket
from tests.support.clocks import ManualClock


async def would_wait(budget: RateLimiter, weight: int, wanted: Priority) -> bool:
    with urgency(wanted):
        taking = asyncio.create_task(budget.take(weight))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    done = taking.done()
    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)
    return not done


async def test_history_waits_where_live_data_and_trading_still_go() -> None:
    budget = RateLimiter(ManualClock(), weight_per_minute=100)
    budget.observe(200, {"x-mbx-used-weight-1m": "70"})
    assert await would_wait(budget, 1, Priority.HISTORY)
    assert not await would_wait(budget, 1, Priority.LIVE)
    budget.observe(200, {"x-mbx-used-weight-1m": "95"})
    assert await would_wait(budget, 1, Priority.LIVE)
    assert not await would_wait(budget, 1, Priority.TRADING)
    budget.observe(200, {"x-mbx-used-weight-1m": "100"})
    with urgency(Priority.TRADING), pytest.raises(VenueUnreachable, match="used up"):
        await budget.take(1)


async def test_a_new_minute_frees_the_budget() -> None:
    clock = ManualClock()
    budget = RateLimiter(clock, weight_per_minute=100)
    budget.observe(200, {"x-mbx-used-weight-1m": "100"})
    clock.move(60)
    assert budget.used == 0
    assert not await would_wait(budget, 1, Priority.HISTORY)


async def test_what_is_taken_counts_before_the_venue_tells_it() -> None:
    budget = RateLimiter(ManualClock(), weight_per_minute=100)
    await budget.take(50)
    assert budget.used == 50
    assert await would_wait(budget, 41, Priority.LIVE)
    assert not await would_wait(budget, 40, Priority.LIVE)


async def test_a_call_heavier_than_its_share_is_made_in_a_fresh_minute() -> None:
    budget = RateLimiter(ManualClock(), weight_per_minute=10)
    assert not await would_wait(budget, 50, Priority.HISTORY)


@pytest.mark.parametrize("status", [418, 429])
async def test_a_ban_silences_everybody_for_as_long_as_the_venue_says(status: int) -> None:
    clock = ManualClock()
    budget = RateLimiter(clock)
    budget.observe(status, {"retry-after": "7"})
    with urgency(Priority.TRADING), pytest.raises(VenueUnreachable) as silent:
        await budget.take(1)
    assert silent.value.retry_after_seconds == 7
    clock.move(7)
    await budget.take(1)


async def test_a_ban_without_a_time_still_silences() -> None:
    budget = RateLimiter(ManualClock())
    budget.observe(429, {})
    assert budget.silent_seconds == 10


async def asked(budget: RateLimiter, name: str, weight: float, wanted: Priority, done: list[str]) -> asyncio.Task[None]:
    """Begin to take, and let it wait."""

    async def take() -> None:
        with urgency(wanted):
            await budget.take(weight)
        done.append(name)

    task = asyncio.create_task(take())
    await asyncio.sleep(0)
    return task


async def test_a_new_minute_lets_live_data_go_before_history_that_came_first() -> None:
    clock = ManualClock()
    budget, done = RateLimiter(clock, weight_per_minute=100), list[str]()
    budget.observe(200, {"x-mbx-used-weight-1m": "95"})
    history = await asked(budget, "history", 10, Priority.HISTORY, done)
    live = await asked(budget, "live", 10, Priority.LIVE, done)
    clock.move(30)
    budget.observe(200, {"x-mbx-used-weight-1m": "0"})
    await asyncio.gather(history, live)
    assert done == ["live", "history"]


async def test_an_order_passes_history_that_waits() -> None:
    budget, done = RateLimiter(ManualClock(), weight_per_minute=100), list[str]()
    budget.observe(200, {"x-mbx-used-weight-1m": "60"})
    history = [await asked(budget, f"history {number}", 10, Priority.HISTORY, done) for number in range(50)]
    order = await asked(budget, "order", 40, Priority.TRADING, done)
    assert order.done()
    assert done == ["order"]
    assert budget.waiting == 50
    for task in history:
        task.cancel()
    await asyncio.gather(*history, return_exceptions=True)
    assert budget.waiting == 0


async def test_history_that_has_waited_a_minute_counts_as_live_data() -> None:
    clock = ManualClock()
    budget, done = RateLimiter(clock, weight_per_minute=100), list[str]()
    budget.observe(200, {"x-mbx-used-weight-1m": "80"})
    history = await asked(budget, "history", 5, Priority.HISTORY, done)
    assert not done
    clock.move(61)
    budget.observe(200, {"x-mbx-used-weight-1m": "80"})
    await history
    assert done == ["history"]


async def test_what_the_venue_counted_doesnt_hide_what_is_still_under_way() -> None:
    budget = RateLimiter(ManualClock(), weight_per_minute=100)

    async def answer(told: str) -> None:
        await budget.take(10)
        with budget.under_way(10):
            budget.observe(200, {"x-mbx-used-weight-1m": told})

    await budget.take(30)
    with budget.under_way(30):
        await asyncio.create_task(answer("10"))
    assert budget.used == 40


async def test_an_answer_of_the_last_minute_says_nothing_of_this_one() -> None:
    clock = ManualClock()
    budget = RateLimiter(clock, weight_per_minute=100)
    await budget.take(1)
    with budget.under_way(1):
        clock.move(60)
        budget.observe(200, {"x-mbx-used-weight-1m": "99"})
    assert budget.used == 0


async def test_minutes_are_the_venues_own_once_its_clock_is_known() -> None:
    clock = ManualClock()
    budget = RateLimiter(clock, weight_per_minute=100)
    budget.follow(lambda: 1_700_000_040_000 - 20_000 + round(clock.monotonic() * 1000))
    budget.observe(200, {"x-mbx-used-weight-1m": "100"})
    clock.move(20)
    assert budget.used == 100
    clock.move(0.2)
    assert budget.used == 0


async def test_a_shorter_word_of_silence_doesnt_end_a_longer_one() -> None:
    clock = ManualClock()
    budget = RateLimiter(clock)
    budget.observe(418, {"retry-after": "600"})
    budget.observe(429, {"retry-after": "5"})
    budget.observe(200, {})
    assert budget.silent_seconds == 600


async def test_silence_reaches_those_who_wait_already() -> None:
    budget, done = RateLimiter(ManualClock(), weight_per_minute=100), list[str]()
    budget.observe(200, {"x-mbx-used-weight-1m": "100"})
    live = await asked(budget, "live", 1, Priority.LIVE, done)
    budget.hush(30)
    with pytest.raises(VenueUnreachable, match="fewer requests"):
        await live


async def test_at_a_pace_history_pays_before_it_goes_so_that_an_order_goes_at_once() -> None:
    clock = ManualClock()
    budget = RateLimiter(clock)
    budget.keep_pace(1.0)
    assert not await would_wait(budget, 1, Priority.HISTORY)
    assert await would_wait(budget, 1, Priority.HISTORY)
    assert not await would_wait(budget, 1, Priority.TRADING)
    clock.move(1)
    assert await would_wait(budget, 1, Priority.LIVE)
    clock.move(1)
    assert not await would_wait(budget, 1, Priority.LIVE)


@given(st.lists(st.tuples(st.floats(0, 3), st.sampled_from([0.6, 1.0])), max_size=60))
def test_a_pace_is_kept_over_any_time(calls: list[tuple[float, float]]) -> None:
    clock = ManualClock()
    pace = TokenBucket(clock, 0.5)
    for count, (idle, share) in enumerate(calls):
        clock.move(idle)
        clock.move(pace.seconds_until(1, share))
        pace.take(1)
        assert count + 1 <= 2 + clock.monotonic() / 0.5 + 1e-6
