"""What is not known of an order is settled by asking, and nothing is ever sent twice."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderStatus, OrderType
from domain.ports.execution_client import FillReport, OrderReport, StreamOpened
from tests.support.order_harness import OrderHarness
from tests.support.scripted_venue import Fate, ScriptedVenue
from tests.support.waiting import eventually, read_until


@pytest.mark.parametrize("publishes_on_stream", [True, False], ids=["stream tells", "stream is silent"])
async def test_an_order_whose_answer_was_swallowed_is_found_at_the_venue(
    harness: OrderHarness, venue: ScriptedVenue, *, publishes_on_stream: bool
) -> None:
    venue.fates.append(Fate.SWALLOWED)
    venue.publishes_on_stream = publishes_on_stream
    await harness.start()
    order = await harness.until((await harness.place()).id, "FILLED")
    assert venue.received == [order.client_order_id]
    assert order.absences == 0
    assert len(await harness.fills(order.id)) == 1


async def test_an_order_that_never_arrived_is_rejected_after_three_clean_absences(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    venue.fates.append(Fate.LOST)
    await harness.start()
    before = harness.clock.monotonic()
    order = await harness.until((await harness.place()).id, "REJECTED")
    assert harness.clock.monotonic() - before > harness.timings.absence_after
    assert order.absences == 3
    assert order.reject_reason == "the venue never received the order"
    assert venue.sent == 1
    assert await harness.kinds(order.id) == ["PENDING", "SUBMITTED", "IN_DOUBT", "REJECTED"]


async def test_absences_before_the_request_must_have_arrived_do_not_count(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    venue.fates.append(Fate.LOST)
    harness.timings = replace(harness.timings, absence_after=3600, first_query_delay=0.01, longest_query_delay=0.02)
    await harness.start()
    order = await harness.place()
    await eventually(lambda: venue.query_count > 20, "the venue is queried again and again")
    assert (await harness.read(order.id)).status is OrderStatus.IN_DOUBT
    assert (await harness.read(order.id)).absences == 0


async def test_while_the_venue_is_unreachable_an_order_stays_in_doubt(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    venue.fates.append(Fate.LOST)
    venue.unreachable = True
    order = await harness.place()
    await asyncio.sleep(4 * harness.timings.absence_after)  # far longer than it takes if the venue answers
    assert (await harness.read(order.id)).status is OrderStatus.IN_DOUBT
    venue.unreachable = False
    await harness.until(order.id, "REJECTED")


@pytest.mark.parametrize("ahead", [timedelta(minutes=40), timedelta(minutes=-40)])
async def test_a_doubt_ends_although_the_clock_of_the_node_is_set_back_or_forward(
    harness: OrderHarness, venue: ScriptedVenue, ahead: timedelta
) -> None:
    await harness.start()
    harness.clock.ahead = ahead
    venue.fates.append(Fate.LOST)
    venue.unreachable = True
    order = await harness.place()
    assert order.status is OrderStatus.IN_DOUBT
    harness.clock.ahead = timedelta(0)
    venue.unreachable = False
    await harness.until(order.id, "REJECTED")


async def test_an_absence_proves_nothing_for_as_long_as_the_venue_says(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    venue.absent_after_seconds = 3600.0
    await harness.start()
    venue.fates.append(Fate.LOST)
    order = await harness.place()
    await asyncio.sleep(4 * harness.timings.absence_after)
    assert (await harness.read(order.id)).absences == 0
    venue.absent_after_seconds = 0.0
    await harness.until(order.id, "REJECTED")


async def test_a_rejection_by_absence_is_taken_back_when_the_venue_reports_the_order(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    venue.fates.append(Fate.LOST)
    await harness.start()
    order = await harness.until((await harness.limit()).id, "REJECTED")
    venue.receive(order)
    await harness.until(order.id, "OPEN")
    venue.fill(order.client_order_id, 1)
    await harness.until(order.id, "FILLED")
    assert (await harness.kinds(order.id))[-3:] == ["REJECTED", "RECONCILED", "FILL"]


async def test_a_doubt_does_not_hold_up_other_orders(harness: OrderHarness, venue: ScriptedVenue) -> None:
    await harness.start()
    venue.fates.append(Fate.LOST)
    venue.unreachable = True
    doubted = await harness.place("first")
    assert doubted.status is OrderStatus.IN_DOUBT
    assert (await harness.place("second")).status is OrderStatus.FILLED


async def test_a_trade_whose_order_the_venue_does_not_find_keeps_the_order_in_doubt_for_a_while_only(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    venue.fates.append(Fate.SWALLOWED)
    venue.publishes_on_stream = False
    venue.query_order = _knows_nothing  # type: ignore[method-assign]
    venue.query_client_order_id = _knows_nothing  # type: ignore[method-assign]
    order = await harness.place()
    await asyncio.sleep(4 * harness.timings.absence_after)
    assert (await harness.read(order.id)).status is OrderStatus.IN_DOUBT
    assert (await harness.read(order.id)).absences == 0
    harness.context.timings = replace(harness.timings, doubt_limit=0)
    await harness.until(order.id, "REJECTED")


async def test_a_trade_is_counted_although_the_venue_does_not_find_the_order_by_our_id(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    venue.fates.append(Fate.SWALLOWED)
    venue.publishes_on_stream = False
    venue.query_order = _knows_nothing  # type: ignore[method-assign]
    order = await harness.until((await harness.place()).id, "FILLED")
    assert venue.owner_queries == [order.venue_order_id]


@pytest.mark.parametrize("count", [1, 30])
async def test_trades_by_hand_do_not_keep_an_order_in_doubt_and_the_venue_is_asked_about_each_once(
    harness: OrderHarness, venue: ScriptedVenue, count: int
) -> None:
    await harness.start()
    venue.publishes_on_stream = False
    known = await harness.limit("known")
    for number in range(count):
        client_order_id = f"web_{number}"
        venue.receive(replace(known, client_order_id=client_order_id))
        venue.fill(client_order_id, "0.001")
        venue.fill(client_order_id, "0.002")
    venue.fates.append(Fate.LOST)
    order = await harness.until((await harness.place()).id, "REJECTED")
    assert order.reject_reason == "the venue never received the order"
    assert len(venue.owner_queries) == count
    assert await harness.positions() == []


async def test_a_doubt_that_lasts_is_reported_once(harness: OrderHarness, venue: ScriptedVenue) -> None:
    await harness.start()
    venue.fates.append(Fate.LOST)
    venue.unreachable = True
    order = await harness.place()
    await eventually(lambda: venue.unanswered > 1, "the venue was asked in vain, and is asked again")
    harness.timings = harness.context.timings = replace(harness.timings, doubt_alert_after=0.2)
    (alert,) = await harness.until_alerts(1)
    assert alert.startswith("Whether the order BUY 1 sandbox:BTC/USDT was placed has not been known for 0.2 s:")
    assert "no answer within 10 s" in alert
    assert order.client_order_id in alert
    await harness.kill()
    await harness.start_unreconciled()
    await asyncio.sleep(0.3)  # as long as the alert would take that must not come
    assert len(await harness.alerts()) == 1
    venue.unreachable = False
    await harness.until(order.id, "REJECTED")


async def test_a_cancel_that_nobody_answers_is_reported(harness: OrderHarness, venue: ScriptedVenue) -> None:
    harness.timings = replace(harness.timings, doubt_alert_after=0.2)
    await harness.start()
    order = await harness.limit()
    venue.cancel_fates.extend([Fate.LOST] * 20)
    venue.unreachable = True
    cancelling = asyncio.create_task(harness.service.cancel(harness.user.id, order.id))
    (alert,) = await harness.until_alerts(1)
    assert "was cancelled has not been known" in alert
    venue.cancel_fates.clear()
    venue.unreachable = False
    await cancelling
    await harness.until(order.id, "CANCELED")


async def test_an_order_that_is_resolved_in_time_raises_no_alert(harness: OrderHarness, venue: ScriptedVenue) -> None:
    await harness.start()
    venue.fates.append(Fate.SWALLOWED)
    await harness.until((await harness.place()).id, "FILLED")
    assert await harness.alerts() == []


async def test_an_order_that_the_venue_counts_as_filled_ends_although_trades_are_missing(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    venue.answers_with_fills = False
    venue.publishes_on_stream = False
    venue.parts = 4
    plain, plain_fills = venue.query_order, venue.fills
    missing = "t4"

    async def without_one(order: Order) -> OrderReport | None:
        report = await plain(order)
        return report and replace(report, fills=tuple(fill for fill in report.fills if fill.venue_trade_id != missing))

    venue.query_order = without_one  # type: ignore[method-assign]
    await harness.start()
    order = await harness.until((await harness.place()).id, "FILLED")
    assert order.filled_quantity == Decimal("0.75")
    last = (await harness.order_events(order.id))[-1]
    assert last.kind.value == "RECONCILED"
    assert last.reason == "the venue counts the order as filled, and reports no more of its trades"
    assert "never reported all fills" in (await harness.until_alerts(1))[0]
    venue.query_order, venue.fills = plain, plain_fills  # type: ignore[method-assign]
    venue.publish(StreamOpened())
    await read_until(lambda: harness.fills(order.id), lambda fills: len(fills) == 4, "the trade is found after all")
    assert sum(position.quantity for position in await harness.positions()) == 1


async def test_missing_trades_of_an_order_that_has_ended_are_asked_for_again_after_a_restart(
    harness: OrderHarness, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.execution.in_doubt._MAXIMUM_QUICK_ATTEMPTS", 10_000)  # they aren't given up here
    venue.publishes_on_stream = venue.answers_with_fills = False
    plain = venue.query_order

    async def without_fills(order: Order) -> OrderReport | None:
        report = await plain(order)
        return report and replace(report, fills=(), status=OrderStatus.EXPIRED)

    async def no_fills(*_: object) -> list[FillReport]:
        return []

    venue.query_order, venue.fills = without_fills, no_fills  # type: ignore[method-assign]
    await harness.start()
    order = await harness.until((await harness.place()).id, "EXPIRED")
    assert (order.awaits_fills, order.missing_quantity) == (True, 1)
    await harness.kill()
    await harness.start()
    assert (await harness.read(order.id)).awaits_fills
    async with harness.database.read_only() as reading:
        assert [active.id for active in await reading.orders.list_active(harness.account.id)] == [order.id]
        other = replace(order, id=harness.ids.next_id(), trading_session_id=None)
        snapshot = await reading.orders.risk_snapshot(other, order.created_at)
    assert [active.outstanding_quantity for active in snapshot.active] == [1]
    venue.query_order = plain  # type: ignore[method-assign]
    await read_until(lambda: harness.fills(order.id), lambda fills: len(fills) == 1, "the trade is told")
    assert not (await harness.read(order.id)).awaits_fills
    events = [event.reason for event in await harness.order_events(order.id) if event.kind.value == "RECONCILED"]
    assert events == ["the venue counts 1 of it as filled, and its trades are asked for"]


async def test_a_fill_of_an_order_that_the_venue_had_refused_is_counted_with_an_alert(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    venue.fates.append(Fate.REFUSED)
    await harness.start()
    order = await harness.limit()
    assert order.status is OrderStatus.REJECTED
    venue.receive(order)
    venue.fill(order.client_order_id, 1)
    filled = await harness.until(order.id, "FILLED")
    assert (filled.reject_reason, filled.reject_code) == (None, None)
    assert "RECONCILED" in await harness.kinds(order.id)
    assert sum(position.quantity for position in await harness.positions()) == 1
    assert "had rejected order" in (await harness.until_alerts(1))[0]


async def test_an_old_report_that_takes_back_a_rejection_is_corrected_by_a_query(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    venue.fates.append(Fate.REFUSED)
    await harness.start()
    order = await harness.limit()
    venue.publishes_on_stream = False
    venue.receive(order)
    stale = venue.orders[order.client_order_id]
    venue.orders[order.client_order_id] = replace(stale, status=OrderStatus.REJECTED)
    venue.publish(stale)
    await harness.until(order.id, "EXPIRED")


async def test_an_order_that_was_called_absent_and_filled_unseen_is_found_when_the_account_reconciles(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    venue.fates.append(Fate.LOST)
    order = await harness.until((await harness.place()).id, "REJECTED")
    await harness.kill()
    venue.publishes_on_stream = False
    venue.receive(order)
    await harness.limit("another, so that the market is looked at")
    await harness.start()
    found = await harness.until(order.id, "FILLED")
    assert found.filled_quantity == 1
    (alert,) = await harness.alerts()
    assert alert.startswith(f"A fill of order {order.client_order_id} came after the order had ended")
    assert sum(position.quantity for position in await harness.positions()) == 1


async def test_a_trade_of_two_of_the_accounts_orders_counts_for_both(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    buying = await harness.limit("buy")
    selling = await harness.limit("sell", side=OrderSide.SELL, price="110")
    first = venue.fill(buying.client_order_id, 1, "100")
    second = venue.orders[selling.client_order_id]
    fill = replace(
        first,
        venue_order_id=second.venue_order_id,
        client_order_id=selling.client_order_id,
        side=OrderSide.SELL,
    )
    venue.publish(replace(second, status=OrderStatus.FILLED, filled_quantity=Decimal(1), fills=(fill,)))
    for order in (buying, selling):
        await harness.until(order.id, "FILLED")
        assert [fill.venue_trade_id for fill in await harness.fills(order.id)] == [first.venue_trade_id]
    venue.publish(fill, first)
    assert (await harness.place("next")).status is OrderStatus.FILLED
    assert len(await harness.fills(selling.id)) == 1


async def test_two_hundred_foreign_orders_raise_one_alert(harness: OrderHarness, venue: ScriptedVenue) -> None:
    harness.timings = replace(harness.timings, foreign_alert_delay=3.0)
    await harness.start()
    ours = await harness.limit()
    resting = venue.orders[ours.client_order_id]
    for number in range(200):
        venue.publish(replace(resting, client_order_id=f"web_{number}", venue_order_id=f"x{number}"))
    alerts = await harness.until_alerts(1)
    one = "an order of somebody else: BUY 1 sandbox:BTC/USDT, client order id web_0"
    assert alerts == [f"The venue has 200 orders that this engine did not place. One of them is {one}."]


@pytest.mark.parametrize("answer", ["query", "stream"])
async def test_a_stop_that_goes_off_is_reported(harness: OrderHarness, venue: ScriptedVenue, answer: str) -> None:
    await harness.start()
    order = await harness.place(type=OrderType.STOP_LIMIT, price=Decimal(111), stop_price=Decimal(110))
    assert order.triggered_at is None
    report = replace(venue.orders[order.client_order_id], triggered=True)
    venue.orders[order.client_order_id] = report
    venue.publish(report if answer == "stream" else StreamOpened())
    triggered = await read_until(lambda: harness.read(order.id), lambda now: now.triggered_at, "the stop went off")
    assert triggered.status is OrderStatus.OPEN
    venue.fill(order.client_order_id, 1, "111")
    await harness.until(order.id, "FILLED")
    assert (await harness.kinds(order.id))[-2:] == ["TRIGGERED", "FILL"]


async def _knows_nothing(*_order: object) -> None:
    return None


async def test_a_stale_lease_sends_nothing_and_ends_the_executor(harness: OrderHarness, venue: ScriptedVenue) -> None:
    await harness.start()
    assert harness.lease is not None
    async with harness.database.transaction() as transaction:
        await transaction.leases.release(harness.lease)
        await transaction.leases.acquire("account", str(harness.account.id), "another node", 600)
    order = await harness.place()
    assert order.status is OrderStatus.PENDING
    assert venue.sent == 0
    await eventually(harness.task.done, "the executor has ended")
    assert type(harness.take_error()).__name__ == "StaleLease"


async def test_a_lease_renewed_too_long_ago_keeps_the_bytes_from_leaving(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    harness.timings = replace(harness.timings, maximum_lease_age=0)
    await harness.start()
    order = await harness.place()
    assert order.status is OrderStatus.CANCELED
    assert venue.sent == 0
    assert (await harness.order_events(order.id))[-1].reason == (
        "not sent: the right to trade the account was not renewed in time"
    )
