"""A venue that answers nonsense, reports orders of others, or reports too late."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial

import pytest

from domain.execution.in_doubt import InDoubtResolver
from domain.execution.trailing_orders import TrailingOrders
from domain.model.markets import MarketSymbol
from domain.model.order_side import OrderSide
from domain.model.orders import OrderStatus
from domain.ports.execution_client import FillReport, StreamOpened
from tests.support.order_harness import OrderHarness
from tests.support.scripted_venue import ScriptedVenue
from tests.support.waiting import PATIENCE_SECONDS, eventually

ETH = MarketSymbol("sandbox", "ETH/USDT")


def a_fill(**changes: object) -> FillReport:
    """Return a fill of 0.5 as `myTrades` reports it: by the venue's order id alone."""
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
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    first = await harness.limit("first")
    assert first.venue_order_id == "v1"
    venue.publish(a_fill())
    await harness.place("later, so that the fill has been read")
    second = await harness.limit("second")
    venue.fill(second.client_order_id, 1, "90")
    await harness.until(second.id, "FILLED")
    assert await harness.fills(first.id) == []
    assert (await harness.read(first.id)).filled_quantity == 0


async def test_a_foreign_order_that_may_not_be_cancelled_now_harms_no_other(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    harness.cancel_foreign = True
    await harness.start()
    order = await harness.limit()
    harness.context.timings = replace(harness.context.timings, maximum_lease_age=0)
    venue.publish(replace(venue.orders[order.client_order_id], client_order_id="theirs", venue_order_id="v99"))
    await eventually(lambda: venue.cancel_attempts == 1, "the cancel of the foreign order is tried")
    assert "client order id theirs." in (await harness.until_alerts(1))[-1]
    harness.context.timings = harness.timings
    assert (await harness.place("next")).status is OrderStatus.FILLED
    assert not harness.task.done()


async def test_an_executor_that_is_woken_in_the_moment_of_its_end_ends(harness: OrderHarness) -> None:
    harness.timings = replace(harness.timings, poll_interval=3600)
    for wake_last in (True, False):
        executor = await harness.start()
        resolver = InDoubtResolver(
            harness.context, executor.wake, TrailingOrders(harness.context, executor.wake).on_unsent
        )
        resolving = asyncio.create_task(resolver.run())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        wake_resolver = partial(resolver.enqueue, harness.ids.next_id())
        calls = [harness.task.cancel, resolving.cancel, executor.wake, wake_resolver]
        for call in calls if wake_last else reversed(calls):
            call()
        await asyncio.wait([harness.task, resolving], timeout=PATIENCE_SECONDS)
        assert harness.task.cancelled()
        assert resolving.cancelled()
        await harness.kill()


@pytest.mark.parametrize("minutes", [-10, 10])
async def test_a_fill_that_was_missed_is_found_whatever_the_venues_clock_shows(
    harness: OrderHarness, venue: ScriptedVenue, minutes: int
) -> None:
    venue.clock_ahead = timedelta(minutes=minutes)
    await harness.start()
    order = await harness.limit()
    await harness.service.cancel(harness.user.id, order.id)
    venue.publishes_on_stream = False
    venue.fill(order.client_order_id, 1, "90")
    venue.publish(StreamOpened())
    assert (await harness.until(order.id, "FILLED")).filled_quantity == 1


async def test_after_a_break_only_fills_since_the_last_agreement_are_queried(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    harness.timings = replace(harness.timings, checkpoint_interval=0.1)
    await harness.start()
    await harness.place()
    venue.queried_since.clear()
    filled = datetime.now(UTC)
    async with asyncio.timeout(60):
        while not await _agreed_after(harness, filled):  # noqa: ASYNC110  # the database tells no event of it
            await asyncio.sleep(0.01)
    venue.publish(StreamOpened())
    await eventually(lambda: bool(venue.queried_since), "the account is reconciled again")
    assert venue.queried_since[0] > filled - timedelta(minutes=1)


async def _agreed_after(harness: OrderHarness, moment: datetime) -> bool:
    async with harness.database.read_only() as transaction:
        account = await transaction.accounts.by_id(harness.account.id)
    return account is not None and account.reconciled_at is not None and account.reconciled_at > moment
