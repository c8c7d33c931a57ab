"""A venue that answers nonsense, tells of strangers, or is told too late."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from domain.model.markets import MarketSymbol
from domain.model.order_side import OrderSide
from domain.model.orders import OrderStatus
from domain.ports.execution_client import FillReport, StreamOpened
from tests.support.order_harness import OrderHarness
from tests.support.scripted_venue import ScriptedVenue
from tests.support.waiting import eventually

ETH = MarketSymbol("sandbox", "ETH/USDT")


def a_fill(**changes: object) -> FillReport:
    """Return a fill of 0.5 as `myTrades` tells it: by the venue's order id alone."""
    fill = FillReport(
        market=ETH,
        venue_order_id="v1",
        client_order_id=None,
        venue_trade_id="900",
        at=datetime.now(UTC),
        side=OrderSide.BUY,
        price=Decimal(10),
        quantity=Decimal("0.5"),
        fee=Decimal(0),
        fee_currency="USDT",
        maker=True,
    )
    return replace(fill, **changes)  # type: ignore[arg-type]


async def test_a_fill_in_another_market_is_not_counted_for_an_order_of_the_same_venue_id(
    floor: OrderHarness, venue: ScriptedVenue
) -> None:
    await floor.start()
    first = await floor.limit("first")
    assert first.venue_order_id == "v1"
    venue.tell(a_fill())
    await floor.place("later, so that the fill has been read")
    second = await floor.limit("second")
    venue.fill(second.client_order_id, 1, "90")
    await floor.until(second.id, "FILLED")
    assert await floor.fills(first.id) == []
    assert (await floor.read(first.id)).filled_quantity == 0


async def test_a_foreign_order_that_may_not_be_cancelled_now_harms_no_other(
    floor: OrderHarness, venue: ScriptedVenue
) -> None:
    floor.cancel_foreign = True
    executor = await floor.start()
    order = await floor.limit()
    executor._desk.timing = replace(executor._desk.timing, guard=0)
    venue.tell(replace(venue.orders[order.client_order_id], client_order_id="theirs", venue_order_id="v99"))
    await eventually(lambda: "foreign:sandbox:BTC/USDT:v99" in executor._desk._alerted, "the foreign order is met")
    executor._desk.timing = floor.timing
    assert (await floor.place("next")).status is OrderStatus.FILLED
    assert not floor.task.done()


async def test_an_executor_that_is_woken_in_the_moment_of_its_end_ends(floor: OrderHarness) -> None:
    floor.timing = replace(floor.timing, poll=3600)
    executor = await floor.start()
    await floor.kill()  # It waits alone from here on: nobody else wakes it.
    for wake_last in (True, False):
        executor._woken.clear()
        executor._settler._more.clear()
        waiting = asyncio.create_task(executor._wait())
        settling = asyncio.create_task(executor._settler._wait())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        calls = [waiting.cancel, settling.cancel, executor._woken.set, executor._settler._more.set]
        for call in calls if wake_last else reversed(calls):
            call()
        await asyncio.wait([waiting, settling])
        assert waiting.cancelled()
        assert settling.cancelled()


@pytest.mark.parametrize("minutes", [-10, 10])
async def test_a_fill_that_was_missed_is_found_whatever_the_venues_clock_shows(
    floor: OrderHarness, venue: ScriptedVenue, minutes: int
) -> None:
    venue.clock_ahead = timedelta(minutes=minutes)
    await floor.start()
    order = await floor.limit()
    await floor.service.cancel(floor.user.id, order.id)
    venue.tells_by_stream = False
    venue.fill(order.client_order_id, 1, "90")
    venue.tell(StreamOpened())
    assert (await floor.until(order.id, "FILLED")).filled_quantity == 1


async def test_after_a_break_only_what_came_since_the_last_agreement_is_asked_for(
    floor: OrderHarness, venue: ScriptedVenue
) -> None:
    floor.timing = replace(floor.timing, agreement=0.1)
    await floor.start()
    await floor.place()
    venue.asked_since.clear()
    filled = datetime.now(UTC)
    async with asyncio.timeout(60):
        while not await _agreed_after(floor, filled):  # noqa: ASYNC110  # the database tells no event of it
            await asyncio.sleep(0.01)
    venue.tell(StreamOpened())
    await eventually(lambda: bool(venue.asked_since), "the account is reconciled again")
    assert venue.asked_since[0] > filled - timedelta(minutes=1)


async def _agreed_after(floor: OrderHarness, moment: datetime) -> bool:
    async with floor.database.read_only() as transaction:
        account = await transaction.accounts.by_id(floor.account.id)
    return account is not None and account.reconciled_at is not None and account.reconciled_at > moment
