"""Trailing stops by hand, which the engine holds: followed, triggered, cancelled, and found again after a crash."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from domain.core.errors import InputErrors
from domain.model.markets import FeedState
from domain.model.order_side import OrderSide
from domain.model.orders import CancelCode, Order, OrderStatus, OrderType, RiskCode
from domain.model.protection import ExitLevel
from domain.ports.execution_client import NotSent, OrderReport, SendGuard
from domain.rules.order_amendment import AmendmentRequest
from infra.postgres.pool import Pool
from tests.support.order_harness import OrderHarness, open_order_harness
from tests.support.orders import D, a_book, a_market
from tests.support.scripted_venue import Fate, ScriptedVenue
from tests.support.waiting import eventually, read_until

OPEN, CANCELED = OrderStatus.OPEN, OrderStatus.CANCELED


async def trailing(harness: OrderHarness, key: str = "t", distance: object = 5, **changes: object) -> Order:
    changes = {"side": OrderSide.SELL, "type": OrderType.TRAILING_STOP, "trailing": True, **changes}
    level = ExitLevel(absolute=Decimal(str(distance)))
    order = await harness.service.place(harness.user.id, harness.request(**changes), key, trail=level)
    if order.status is OPEN:
        await eventually(lambda: harness.markets.readers == 1, "the market's trades are read")
    return order


async def stop_price(harness: OrderHarness, order: Order, price: object) -> None:
    async def read() -> Decimal | None:
        return (await harness.read(order.id)).stop_price

    await read_until(read, lambda found: found == D(str(price)), "the stop has moved")


async def test_the_order_is_open_without_the_venue_and_follows_the_price(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    order = await trailing(harness)
    assert (order.status, order.high_water, order.stop_price) == (OPEN, D("99.99"), D("94.99"))
    assert (order.is_held, venue.received) == (True, [])
    harness.markets.trade(101, 110, 108)
    await stop_price(harness, order, 105)
    harness.markets.trade(105)
    filled = await harness.until(order.id, "FILLED")
    assert (filled.triggered_at is not None, filled.filled_quantity) == (True, D(1))
    steps = ["PENDING", "ACCEPTED", "TRIGGERED", "SUBMITTED", "ACCEPTED", "FILL"]
    assert await harness.kinds(order.id) == steps
    assert venue.received == [order.client_order_id]
    await eventually(lambda: harness.markets.readers == 0, "nothing is read any more")


async def test_a_crash_loses_neither_the_order_nor_how_far_it_has_come(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    order = await trailing(harness)
    harness.markets.trade(120)
    await stop_price(harness, order, 115)
    await harness.kill()
    await harness.start()
    await eventually(lambda: harness.markets.readers == 1, "the market's trades are read again")
    assert (await harness.read(order.id)).status is OPEN  # the venue doesn't have it, and isn't asked
    harness.markets.trade(114)
    assert (await harness.until(order.id, "FILLED")).stop_price == D(115)
    assert len(venue.received) == 1


async def test_a_stop_sees_trades_after_a_restart_although_the_clock_was_set_back(harness: OrderHarness) -> None:
    harness.clock.ahead = timedelta(hours=1)
    await harness.start()
    order = await trailing(harness)
    await harness.kill()
    harness.clock.ahead = timedelta(0)
    await harness.start()
    await eventually(lambda: harness.markets.readers == 1, "the market's trades are read again")
    harness.markets.trade(120)
    await stop_price(harness, order, 115)


async def test_an_order_that_has_waited_for_days_is_sent_when_the_price_triggers_it(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    order = await trailing(harness)
    harness.clock.ahead = timedelta(days=3)
    harness.markets.trade(90)
    await harness.until(order.id, "FILLED")


async def test_it_is_cancelled_without_the_venue(harness: OrderHarness, venue: ScriptedVenue) -> None:
    await harness.start()
    order = await trailing(harness)
    after = await harness.service.cancel(harness.user.id, order.id)
    assert (after.status, after.cancel_code, venue.cancel_attempts) == (CANCELED, CancelCode.REQUESTED, 0)
    await eventually(lambda: harness.markets.readers == 0, "nothing is read any more")


async def test_trades_from_before_the_order_do_not_count(harness: OrderHarness) -> None:
    await harness.start()
    harness.markets.trade(200, ago=timedelta(minutes=1))
    order = await trailing(harness)
    harness.markets.trade(101)
    await stop_price(harness, order, 96)
    assert (await harness.read(order.id)).high_water == 101


async def test_the_risk_checks_apply_when_it_is_placed(harness: OrderHarness) -> None:
    await harness.start()
    order = await trailing(harness, quantity=D(1000))
    assert RiskCode.INSUFFICIENT_BALANCE in {denial.code for denial in order.denials}


async def test_a_triggered_order_waits_for_a_fresh_book(harness: OrderHarness, venue: ScriptedVenue) -> None:
    await harness.start()
    order = await trailing(harness)
    harness.markets.book, harness.markets.state = None, FeedState.STALE
    harness.markets.trade(90)

    async def kinds() -> list[str]:
        return await harness.kinds(order.id)

    await read_until(kinds, lambda found: "TRIGGERED" in found, "the order is triggered")
    assert ((await harness.read(order.id)).status, venue.received) == (OPEN, [])
    harness.markets.book, harness.markets.state = a_book(quantity=100), FeedState.LIVE
    await harness.until(order.id, "FILLED")
    assert (await harness.kinds(order.id)).count("TRIGGERED") == 1


async def test_a_triggered_order_that_fails_the_checks_for_good_is_cancelled_with_the_reasons(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    order = await trailing(harness, quantity=D(10))
    async with harness.database.transaction() as transaction:
        await transaction.accounts.replace_balances(harness.account.id, ())
    harness.markets.trade(90)
    after = await harness.until(order.id, "CANCELED")
    assert (after.cancel_code, [denial.code for denial in after.denials]) == (
        CancelCode.DENIED,
        [RiskCode.INSUFFICIENT_BALANCE],
    )
    assert venue.received == []


async def test_a_trailing_stop_without_a_distance_is_invalid(harness: OrderHarness) -> None:
    request = harness.request(side=OrderSide.SELL, type=OrderType.TRAILING_STOP)
    with pytest.raises(InputErrors) as caught:
        await harness.service.place(harness.user.id, request, "k")
    assert [error.path for error in caught.value.errors] == [("input", "trailing")]


async def test_a_stop_order_at_the_venue_reports_that_it_was_triggered(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    order = await harness.place(type=OrderType.STOP, stop_price=D(110))
    venue.fill(order.client_order_id, 1)
    filled = await harness.until(order.id, "FILLED")
    assert await harness.kinds(order.id) == ["PENDING", "SUBMITTED", "ACCEPTED", "TRIGGERED", "FILL"]
    assert filled.triggered_at is not None


async def test_what_is_held_can_be_sold_meanwhile_and_the_held_order_then_has_nothing_left(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    held = await trailing(harness, quantity=D(10))
    sold = await harness.place("s", side=OrderSide.SELL, quantity=D(10))
    assert sold.status is OrderStatus.FILLED
    async with harness.database.transaction() as transaction:
        await transaction.accounts.replace_balances(harness.account.id, ())
    harness.markets.trade(90)
    assert (await harness.until(held.id, "CANCELED")).cancel_code is CancelCode.DENIED
    assert len(venue.received) == 1


async def test_a_feed_that_fails_is_followed_again_and_stops_nothing_else(harness: OrderHarness) -> None:
    executor = await harness.start()
    harness.markets.trade_error = RuntimeError("a fault of the feed")
    order = await trailing(harness)
    assert ((await harness.place("other")).status, executor.reconciled) == (OrderStatus.FILLED, True)
    harness.markets.trade(90)
    await harness.until(order.id, "FILLED")
    assert any("trailing stops" in alert for alert in await harness.alerts())


class UnreadyVenue(ScriptedVenue):
    """Sends nothing while `obstacle` is set, as a venue's client that isn't connected, or that the venue has banned."""

    obstacle: str | None = None
    unsent = 0

    async def place(self, order: Order, guard: SendGuard) -> OrderReport:
        if self.obstacle is not None:
            self.unsent += 1
            raise NotSent(self.obstacle)
        return await super().place(order, guard)


@pytest.fixture
async def unready(pool: Pool) -> AsyncIterator[tuple[OrderHarness, UnreadyVenue]]:
    venue = UnreadyVenue()
    async with open_order_harness(pool, venue) as harness:
        yield harness, venue


async def unsent_stop(harness: OrderHarness, venue: UnreadyVenue) -> Order:
    """Return a trailing stop that was triggered and could not be sent, several times."""
    await harness.start()
    order = await trailing(harness)
    venue.obstacle = "the venue has banned this address"
    harness.markets.trade(90)
    await eventually(lambda: venue.unsent > 1, "it was tried again")
    return order


async def test_a_triggered_stop_that_cant_be_sent_is_held_and_tried_until_it_is_sent_with_one_alert(
    unready: tuple[OrderHarness, UnreadyVenue],
) -> None:
    harness, venue = unready
    order = await unsent_stop(harness, venue)
    held = await harness.until(order.id, "OPEN")
    assert (held.is_held, held.triggered_at is not None, held.submitted_at) == (True, True, None)
    venue.obstacle = None
    await harness.until(order.id, "FILLED")
    kinds = await harness.kinds(order.id)
    assert (kinds.count("TRIGGERED"), kinds[-3:]) == (1, ["SUBMITTED", "ACCEPTED", "FILL"])
    assert venue.received == [order.client_order_id]
    assert ["could not be sent" in alert for alert in await harness.alerts()] == [True]


async def test_a_stop_that_could_not_be_sent_is_sent_after_a_restart(
    unready: tuple[OrderHarness, UnreadyVenue],
) -> None:
    harness, venue = unready
    order = await unsent_stop(harness, venue)
    await harness.until(order.id, "OPEN")
    await harness.kill()
    venue.obstacle = None
    await harness.start()
    await harness.until(order.id, "FILLED")


async def test_a_stop_that_could_not_be_sent_can_be_cancelled(unready: tuple[OrderHarness, UnreadyVenue]) -> None:
    harness, venue = unready
    order = await unsent_stop(harness, venue)
    await harness.service.cancel(harness.user.id, order.id)
    await harness.until(order.id, "CANCELED")
    assert venue.received == []


async def amend(harness: OrderHarness, order: Order, key: str = "a", **changes: object) -> Order:
    return await harness.service.amend(harness.user.id, AmendmentRequest(order.id, **changes), key)


async def test_an_amended_distance_counts_from_the_best_price_so_far(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    order = await trailing(harness, quantity=D(2))
    harness.markets.trade(110)
    await stop_price(harness, order, 105)
    amended = await amend(harness, order, quantity=D(1), trail=ExitLevel(absolute=D(8)))
    assert (amended.status, amended.high_water, amended.stop_price) == (OPEN, D(110), D(102))
    assert (amended.quantity, amended.trail_absolute, amended.replaces_id) == (D(1), D(8), order.id)
    before = await harness.read(order.id)
    assert (before.status, before.cancel_code) == (CANCELED, CancelCode.AMENDED)
    assert venue.received == []
    harness.markets.trade(104)  # where the old one would have been triggered
    harness.markets.trade(102)
    await harness.until(amended.id, "FILLED")
    assert venue.received == [amended.client_order_id]
    assert await harness.kinds(order.id) == ["PENDING", "ACCEPTED", "CANCELED"]


async def test_a_distance_in_percent_replaces_one_in_quote(harness: OrderHarness) -> None:
    await harness.start()
    order = await trailing(harness)
    amended = await amend(harness, order, trail=ExitLevel(percent=D(10)))
    assert (amended.trail_percent, amended.trail_absolute, amended.stop_price) == (D(10), None, D("90.00"))


async def test_an_amendment_that_the_risk_checks_deny_leaves_the_trailing_stop_as_it_is(harness: OrderHarness) -> None:
    await harness.start()
    order = await trailing(harness)
    amended = await amend(harness, order, quantity=D(1000))
    assert amended.status is OrderStatus.DENIED
    harness.markets.trade(101, 95)
    await harness.until(order.id, "FILLED")


async def test_an_amended_trailing_stop_survives_a_crash(harness: OrderHarness, venue: ScriptedVenue) -> None:
    await harness.start()
    order = await trailing(harness)
    amended = await amend(harness, order, trail=ExitLevel(absolute=D(9)))
    await harness.kill()
    await harness.start()
    await eventually(lambda: harness.markets.readers == 1, "the market's trades are read again")
    harness.markets.trade(94)
    harness.markets.trade(90)
    await harness.until(amended.id, "FILLED")
    assert venue.received == [amended.client_order_id]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"trail": ExitLevel(absolute=D(0))}, ("input", "trailing")),
        ({"stop_price": D(90)}, ("input", "stopPrice")),
        ({"trail": ExitLevel(absolute=D(5))}, ("input",)),
    ],
)
async def test_an_amendment_of_a_trailing_stop_that_makes_no_sense_is_refused(
    harness: OrderHarness, changes: dict[str, object], path: tuple[str, ...]
) -> None:
    await harness.start()
    order = await trailing(harness)
    with pytest.raises(InputErrors) as caught:
        await amend(harness, order, **changes)
    assert [error.path for error in caught.value.errors][:1] == [path]


async def test_a_trailing_stop_in_a_market_without_prices_alerts_once_and_goes_on_when_they_come(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    harness.timings = replace(harness.timings, unwatched_after=0.05)
    await harness.start()
    order = await trailing(harness)

    async def outage_alerts() -> list[str]:
        return [message for message in await harness.alerts() if "can't follow its price" in message]

    harness.markets.listed = a_market(active=False)
    (alert,) = await read_until(outage_alerts, lambda now: len(now) == 1, "there is an alert")
    assert "is not traded at its venue now" in alert
    await harness.kill()
    await harness.start()
    await eventually(lambda: harness.markets.readers == 1, "the market's trades are read again")
    harness.markets.listed = a_market()
    for price in (101, 102, 103):  # the outage ends at the second look at a market whose prices come
        harness.markets.trade(price)
        await stop_price(harness, order, price - 5)
    assert await outage_alerts() == [alert]
    harness.markets.state = FeedState.STALE
    assert len(await read_until(outage_alerts, lambda now: len(now) > 1, "there is another alert")) == 2
    harness.markets.state = FeedState.LIVE
    harness.markets.trade(95)
    await harness.until(order.id, "FILLED")
    assert venue.received == [order.client_order_id]


async def test_a_crash_between_the_trigger_and_the_send_sends_the_stop_once_after_the_restart(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    order = await trailing(harness)
    venue.fates.append(Fate.HANGS_BEFORE)
    harness.markets.trade(90)
    await eventually(venue.hanging.is_set, "it is about to be sent")
    stored = await harness.read(order.id)
    assert (stored.status, stored.triggered_at is not None) == (OrderStatus.SUBMITTED, True)
    await harness.kill()
    harness.markets.trade(120)  # it was triggered, so the price of now doesn't matter
    await harness.start()
    await harness.until(order.id, "FILLED")
    kinds = await harness.kinds(order.id)
    assert kinds[2:] == ["TRIGGERED", "SUBMITTED", "IN_DOUBT", "ACCEPTED", "SUBMITTED", "ACCEPTED", "FILL"]
    assert venue.received == [order.client_order_id]
    assert ["could not be sent" in alert for alert in await harness.until_alerts(1)] == [True]


async def test_a_crash_after_the_send_of_a_triggered_stop_sends_it_no_second_time(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    order = await trailing(harness)
    venue.fates.append(Fate.HANGS_AFTER)
    harness.markets.trade(90)
    await eventually(venue.hanging.is_set, "it was sent")
    await harness.kill()
    await harness.start()
    await harness.until(order.id, "FILLED")
    assert venue.received == [order.client_order_id]


async def test_a_triggered_stop_whose_request_is_lost_is_sent_again_unless_it_is_cancelled_meanwhile(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    order, other = await trailing(harness), await trailing(harness, "other", 6)
    venue.fates += [Fate.LOST, Fate.LOST]
    harness.markets.trade(90)
    await harness.until(other.id, "IN_DOUBT", "OPEN", "SUBMITTED", "FILLED")
    await harness.until(order.id, "FILLED")
    await harness.until(other.id, "FILLED")
    assert sorted(venue.received) == sorted([order.client_order_id, other.client_order_id])
    lost = await trailing(harness, "lost")
    venue.fates.append(Fate.LOST)
    venue.unreachable = True
    harness.markets.trade(80)
    await harness.until(lost.id, "IN_DOUBT")
    cancelling = asyncio.create_task(harness.service.cancel(harness.user.id, lost.id))
    await read_until(lambda: harness.read(lost.id), lambda now: now.cancel_requested_at, "its cancel is stored")
    venue.unreachable = False
    await harness.until(lost.id, "REJECTED")
    await cancelling
    assert len(venue.received) == 2
