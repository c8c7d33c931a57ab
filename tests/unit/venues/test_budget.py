import asyncio

import pytest

from domain.markets.ports import VenueUnreachable
from infra.venues.budget import RateBudget, Urgency, urgency
from tests.support.clocks import ManualClock


async def would_wait(budget: RateBudget, weight: int, wanted: Urgency) -> bool:
    with urgency(wanted):
        taking = asyncio.create_task(budget.take(weight))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    done = taking.done()
    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)
    return not done


async def test_history_waits_where_live_data_and_trading_still_go() -> None:
    budget = RateBudget(ManualClock(), weight_per_minute=100)
    budget.observe(200, {"x-mbx-used-weight-1m": "70"})
    assert await would_wait(budget, 1, Urgency.HISTORY)
    assert not await would_wait(budget, 1, Urgency.LIVE)
    budget.observe(200, {"x-mbx-used-weight-1m": "95"})
    assert await would_wait(budget, 1, Urgency.LIVE)
    assert not await would_wait(budget, 1, Urgency.TRADING)
    budget.observe(200, {"x-mbx-used-weight-1m": "100"})
    assert await would_wait(budget, 1, Urgency.TRADING)


async def test_a_new_minute_frees_the_budget() -> None:
    clock = ManualClock()
    budget = RateBudget(clock, weight_per_minute=100)
    budget.observe(200, {"x-mbx-used-weight-1m": "100"})
    clock.move(60)
    assert budget.used == 0
    assert not await would_wait(budget, 1, Urgency.HISTORY)


async def test_what_is_taken_counts_before_the_venue_tells_it() -> None:
    budget = RateBudget(ManualClock(), weight_per_minute=100)
    await budget.take(50)
    assert budget.used == 50
    assert await would_wait(budget, 51, Urgency.TRADING)


async def test_a_call_heavier_than_its_share_is_made_in_a_fresh_minute() -> None:
    budget = RateBudget(ManualClock(), weight_per_minute=10)
    assert not await would_wait(budget, 50, Urgency.HISTORY)


@pytest.mark.parametrize("status", [418, 429])
async def test_a_ban_silences_everybody_for_as_long_as_the_venue_says(status: int) -> None:
    clock = ManualClock()
    budget = RateBudget(clock)
    budget.observe(status, {"retry-after": "7"})
    with urgency(Urgency.TRADING), pytest.raises(VenueUnreachable) as silent:
        await budget.take(1)
    assert silent.value.retry_after_seconds == 7
    clock.move(7)
    await budget.take(1)


async def test_a_ban_without_a_time_still_silences() -> None:
    budget = RateBudget(ManualClock())
    budget.observe(429, {})
    assert budget.silent_seconds == 10
