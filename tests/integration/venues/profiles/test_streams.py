"""What holds of the private streams of every venue with a profile, however they fail."""

import asyncio
import logging
from dataclasses import replace
from decimal import Decimal

import pytest

from domain.core.backoff import Backoff
from domain.model.orders import Order, OrderStatus, OrderType
from domain.ports.execution_client import BalanceReport, FillReport, OrderReport, StreamLost, StreamOpened
from infra.venues.ccxt import account_stream
from infra.venues.ccxt.account_stream import UserStreamTimings
from infra.venues.ccxt.connection import VenueConnection
from infra.venues.ccxt.execution_client import CcxtExecutionClient
from tests.integration.venues.profiles.conftest import CREDENTIALS, QUICK
from tests.support.fake_venues.server import FakeVenue, VenueOrder
from tests.support.venues import UpdateLog, allow, recorded_updates
from tests.support.waiting import PATIENCE_SECONDS, eventually

NONSENSE = ["[]", "null", "17", '"text"', "not JSON", "{}", '{"channel":5,"topic":[],"arg":"x","event":{},"data":7}']


UNFOLLOWED = replace(QUICK, follow_seconds=3600.0)
"""For orders of which the stream alone is to report: an answer to a question could come before or after it."""


class RecordedBackoff(Backoff):
    """Remembers the delays that it would have made, and makes none."""

    delays: list[float]

    def next_delay(self, at_least: float | None = None) -> float:
        self.delays.append(self._next)
        super().next_delay(at_least)
        return 0.01


@pytest.fixture(autouse=True)
def delays(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The delays that streams have backed off by."""
    recorded: list[float] = []
    RecordedBackoff.delays = recorded
    monkeypatch.setattr(account_stream, "Backoff", RecordedBackoff)
    return recorded


def opened(log: UpdateLog) -> object:
    return log.of(StreamOpened)


def statuses(log: UpdateLog, order: Order) -> list[OrderStatus]:
    """The states that the stream reported of an order."""
    return [each.status for each in log.of(OrderReport) if each.client_order_id == order.client_order_id]


async def pushed(venue: FakeVenue, order: VenueOrder) -> None:
    for frame in venue.order_frames(order):
        await venue.push(frame)


@pytest.mark.parametrize("timings", [UNFOLLOWED], ids=["unfollowed"])
async def test_an_order_is_reported_under_our_id_from_its_acceptance_to_its_end(
    venue: FakeVenue, account: CcxtExecutionClient, limit_order: Order
) -> None:
    async with recorded_updates(account) as log:
        await log.until(opened, "the stream opened")
        placed = await account.place(limit_order, allow)
        (order,) = venue.orders.values()
        await pushed(venue, order)
        await log.until(lambda log: OrderStatus.OPEN in statuses(log, limit_order), "its acceptance")
        order.status = "canceled"
        await pushed(venue, order)
        await log.until(lambda log: OrderStatus.CANCELED in statuses(log, limit_order), "its end")
    (ended,) = [each for each in log.of(OrderReport) if each.status is OrderStatus.CANCELED]
    assert (ended.venue_order_id, ended.market, ended.side) == (placed.venue_order_id, placed.market, placed.side)
    assert ended.filled_quantity == 0


@pytest.mark.parametrize("timings", [UNFOLLOWED], ids=["unfollowed"])
async def test_a_fill_is_reported_once_with_what_it_cost(
    venue: FakeVenue, account: CcxtExecutionClient, limit_order: Order
) -> None:
    async with recorded_updates(account) as log:
        await log.until(opened, "the stream opened")
        await account.place(limit_order, allow)
        (order,) = venue.orders.values()
        await pushed(venue, order)
        made = venue.fill(order, Decimal("0.5"))
        for frame in venue.fill_frames(made):
            await venue.push(frame)
        await log.until(
            lambda log: any(each.filled_quantity == made.quantity for each in log.of(OrderReport)), "the order's end"
        )
        found = await account.query_order(limit_order)
    assert found is not None
    fills = {fill.venue_trade_id: fill for fill in (*log.fills, *found.fills)}
    (fill,) = fills.values()
    assert (fill.quantity, fill.price, fill.fee) == (made.quantity, made.price, made.fee)
    assert fill.client_order_id in {limit_order.client_order_id, None}
    assert all(each.fee == made.fee for each in log.fills)
    assert statuses(log, limit_order)[-1] is OrderStatus.FILLED


async def test_a_change_of_balances_arrives_with_what_is_free(
    venue: FakeVenue, account: CcxtExecutionClient, limit_order: Order
) -> None:
    async with recorded_updates(account) as log:
        await log.until(opened, "the stream opened")
        venue.held["BTC"] = (Decimal(3), Decimal("2.5"))
        for frame in venue.balance_frames():
            await venue.push(frame)

        def arrived(log: UpdateLog) -> bool:
            rows = [row for report in log.of(BalanceReport) for row in report.balances if row.currency == "BTC"]
            return bool(rows) and (rows[-1].total, rows[-1].free) == (Decimal(3), Decimal("2.5"))

        await log.until(arrived, "the new balance")


async def test_an_order_of_which_the_stream_reports_nothing_is_asked_for(
    venue: FakeVenue, account: CcxtExecutionClient, limit_order: Order
) -> None:
    async with recorded_updates(account) as log:
        await log.until(opened, "the stream opened")
        order = replace(limit_order, type=OrderType.MARKET, price=None)
        await account.place(order, allow)
        (taken,) = venue.orders.values()
        made = venue.fill(taken, Decimal("0.5"))
        await log.until(lambda log: OrderStatus.FILLED in statuses(log, order), "the order's end, by asking")
    assert {fill.venue_trade_id for fill in log.fills} == {made.id}


async def test_streams_that_are_refused_back_off_and_never_count_as_open(
    venue: FakeVenue, account: CcxtExecutionClient, delays: list[float]
) -> None:
    venue.refuse_streams = True
    async with recorded_updates(account) as log:
        await eventually(lambda: len(delays) >= 4, "four attempts")
        assert log.updates == []
        assert delays[:4] == sorted(delays[:4])
        assert delays[3] >= 4 * delays[0]
        venue.refuse_streams = False
        await log.until(opened, "the stream opens once it is let")


async def test_streams_that_are_never_confirmed_are_given_up(
    venue: FakeVenue, connection: VenueConnection, delays: list[float]
) -> None:
    venue.ignore_streams = True
    hasty = CcxtExecutionClient(connection, CREDENTIALS, "hasty", replace(QUICK, confirmed_within_seconds=0.3))
    async with recorded_updates(hasty) as log:
        await eventually(lambda: len(delays) >= 2, "two attempts")
        assert log.updates == []
        assert delays[1] > delays[0]
    await hasty.close()


async def test_a_stream_that_falls_silent_is_opened_again(venue: FakeVenue, connection: VenueConnection) -> None:
    timings = UserStreamTimings(silent_after_seconds=0.3, steady_after_seconds=0.1)
    account = CcxtExecutionClient(connection, CREDENTIALS, "silent", timings)
    async with recorded_updates(account) as log:
        await log.until(lambda log: len(log.of(StreamOpened)) >= 2, "the stream was opened again")
    states = [type(update) for update in log.updates if isinstance(update, StreamOpened | StreamLost)]
    assert states[:3] == [StreamOpened, StreamLost, StreamOpened]
    await account.close()


async def test_a_stream_that_breaks_at_once_each_time_backs_off(
    venue: FakeVenue, account: CcxtExecutionClient, delays: list[float]
) -> None:
    async with recorded_updates(account) as log:
        for number in range(1, 5):
            await log.until(lambda log, number=number: len(log.of(StreamOpened)) >= number, "it opened again")
            for socket in [each for each in venue.sockets if not each.closed]:
                await socket.close()
        await eventually(lambda: len(delays) >= 4, "four breaks")
    assert delays[:4] == sorted(delays[:4])
    assert delays[3] >= 4 * delays[0]


async def test_nonsense_ends_the_stream_at_most_and_is_no_traceback(
    venue: FakeVenue, account: CcxtExecutionClient, limit_order: Order, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with recorded_updates(account) as log:
        await log.until(opened, "the stream opened")
        await account.place(limit_order, allow)
        (order,) = venue.orders.values()
        for nonsense in NONSENSE:
            seen = len(statuses(log, limit_order))
            await venue.push(nonsense)
            async with asyncio.timeout(PATIENCE_SECONDS):
                while len(statuses(log, limit_order)) == seen:  # reports come again
                    await pushed(venue, order)
                    await asyncio.sleep(0.02)
    assert not [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR]


async def test_broken_reports_of_orders_end_the_stream_without_a_traceback(
    venue: FakeVenue, account: CcxtExecutionClient, limit_order: Order, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with recorded_updates(account) as log:
        await log.until(opened, "the stream opened")
        await account.place(limit_order, allow)
        (order,) = venue.orders.values()
        made = venue.fill(order, Decimal("0.5"))
        for frame in venue.fill_frames(made):
            text = str(frame).replace("'", '"').replace("False", "false").replace("None", "null")
            await venue.push(text.replace(str(order.quantity), "NaN").replace('"buy"', "5").replace('"Buy"', "5"))
        await log.until(lambda log: len(log.of(StreamOpened)) >= 2, "the stream was opened again")
        assert not [fill for fill in log.of(FillReport) if not fill.quantity.is_finite()]
    assert not [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR]


async def test_the_reports_end_when_the_account_is_closed(venue: FakeVenue, account: CcxtExecutionClient) -> None:
    async with recorded_updates(account) as log:
        await log.until(opened, "the stream opened")
        await account.close()
        await eventually(lambda: all(socket.closed for socket in venue.sockets), "the sockets are closed")
