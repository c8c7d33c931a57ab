"""What holds of orders on every venue with a profile, by ccxt's real class and the venue's documented messages."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from domain.model.client_order_ids import OrderIdForm
from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderStatus, OrderType, RejectCode, TimeInForce
from domain.ports.execution_client import NotSent, OutcomeUnknown, VenueRefused
from infra.venues.ccxt.connection import VenueConnection
from infra.venues.ccxt.execution_client import CcxtExecutionClient
from tests.integration.venues.profiles.conftest import id_of
from tests.support.fake_venues.server import Answer, FakeVenue
from tests.support.venues import allow

LONG_AGO = timedelta(minutes=5)


def sent_id(connection: VenueConnection, order: Order) -> str:
    """The order's id as the venue has it."""
    assert connection.profile is not None
    return connection.profile.reading.ids.for_venue(order.client_order_id)


async def test_an_order_is_placed_under_our_id(
    venue: FakeVenue, connection: VenueConnection, account: CcxtExecutionClient, limit_order: Order
) -> None:
    placed = await account.place(limit_order, allow)
    (request,) = venue.sent_to(venue.place_path)
    assert request.params[venue.id_parameter] == sent_id(connection, limit_order)
    (order,) = venue.orders.values()
    assert (order.quantity, order.price, order.side, order.type) == (Decimal("0.5"), Decimal(100), "buy", "limit")
    assert (placed.client_order_id, placed.venue_order_id) == (limit_order.client_order_id, order.id)
    assert (placed.status, placed.quantity, placed.side) == (OrderStatus.OPEN, limit_order.quantity, OrderSide.BUY)


async def test_a_market_order_to_buy_is_sized_in_base(
    venue: FakeVenue, account: CcxtExecutionClient, limit_order: Order
) -> None:
    placed = await account.place(replace(limit_order, type=OrderType.MARKET, price=None), allow)
    (order,) = venue.orders.values()
    assert (order.type, order.quantity, order.price) == ("market", Decimal("0.5"), None)
    assert placed.type is OrderType.MARKET


@pytest.mark.parametrize("lost", ["answer", "page", "status"])
async def test_an_order_whose_answer_is_lost_is_found_by_our_id(
    venue: FakeVenue, account: CcxtExecutionClient, limit_order: Order, lost: str
) -> None:
    await account.balances()
    for other in range(3):
        venue.new_order(id_of(str(other)).removeprefix("r3-"), "buy", "limit", "0.1", "99")
    answers = {
        "answer": Answer("", lost=True),
        "page": Answer("<html>Please wait</html>", after=True),
        "status": Answer("<html>Bad gateway</html>", 502, after=True),
    }
    venue.answer_next(venue.place_path, answers[lost])
    with pytest.raises(OutcomeUnknown):
        await account.place(limit_order, allow)
    found = await account.query_order(limit_order)
    assert found is not None
    assert (found.client_order_id, found.status) == (limit_order.client_order_id, OrderStatus.OPEN)
    assert found.venue_order_id == list(venue.orders)[-1]
    assert len(venue.sent_to(venue.place_path)) == 1


async def test_an_order_that_the_venue_has_not_is_recognised_as_such(
    account: CcxtExecutionClient, limit_order: Order
) -> None:
    assert limit_order.submitted_at is not None
    assert await account.query_order(replace(limit_order, submitted_at=limit_order.submitted_at - LONG_AGO)) is None


async def test_an_order_is_looked_up_from_the_venues_time_of_its_submission_whatever_the_clock_of_the_node_said(
    venue: FakeVenue, account: CcxtExecutionClient, limit_order: Order
) -> None:
    await account.place(limit_order, allow)
    (order,) = venue.orders.values()
    venue.fill(order, Decimal("0.5"))
    assert limit_order.submitted_at is not None
    submitted_at, at = limit_order.submitted_at + timedelta(days=300), account.venue_now()
    found = await account.query_order(replace(limit_order, submitted_at=submitted_at, venue_submitted_at=at))
    assert found is not None
    assert len(found.fills) == 1


@pytest.mark.parametrize("filled", [False, True])
async def test_an_order_that_has_ended_is_found_with_its_fills(
    venue: FakeVenue, account: CcxtExecutionClient, limit_order: Order, filled: bool
) -> None:
    await account.place(limit_order, allow)
    (order,) = venue.orders.values()
    made = venue.fill(order, Decimal("0.5") if filled else Decimal("0.2"))
    order.status = "filled" if filled else "canceled"
    found = await account.query_order(limit_order)
    assert found is not None
    assert found.status is (OrderStatus.FILLED if filled else OrderStatus.CANCELED)
    assert found.filled_quantity == made.quantity
    (fill,) = found.fills
    assert (fill.venue_trade_id, fill.quantity, fill.price) == (made.id, made.quantity, made.price)
    assert (fill.fee, fill.client_order_id) == (made.fee, limit_order.client_order_id)


async def test_an_order_is_cancelled_by_our_id(
    venue: FakeVenue, account: CcxtExecutionClient, limit_order: Order
) -> None:
    placed = await account.place(limit_order, allow)
    await account.cancel(replace(limit_order, venue_order_id=placed.venue_order_id), allow)
    (order,) = venue.orders.values()
    assert order.status == "canceled"


async def test_an_order_whose_answer_was_lost_is_cancelled_too(
    venue: FakeVenue, account: CcxtExecutionClient, limit_order: Order
) -> None:
    await account.balances()
    venue.answer_next(venue.place_path, Answer("", lost=True))
    with pytest.raises(OutcomeUnknown):
        await account.place(limit_order, allow)
    await account.cancel(limit_order, allow)
    (order,) = venue.orders.values()
    assert order.status == "canceled"


async def test_a_cancel_of_an_order_that_is_no_more_is_refused(
    account: CcxtExecutionClient, limit_order: Order
) -> None:
    assert limit_order.submitted_at is not None
    gone = replace(limit_order, submitted_at=limit_order.submitted_at - LONG_AGO, venue_order_id=None)
    with pytest.raises(VenueRefused):
        await account.cancel(gone, allow)


async def test_a_cancel_that_is_lost_after_another_was_refused_is_in_doubt(
    venue: FakeVenue, account: CcxtExecutionClient, limit_order: Order
) -> None:
    placed = await account.place(limit_order, allow)
    resting = replace(limit_order, venue_order_id=placed.venue_order_id)
    await account.cancel(resting, allow)
    with pytest.raises(VenueRefused):
        await account.cancel(resting, allow)
    venue.answer_next(venue.cancel_path, Answer("", lost=True))
    with pytest.raises(OutcomeUnknown):
        await account.cancel(resting, allow)


async def test_what_the_venue_refuses_for_good_is_refused(
    venue: FakeVenue, account: CcxtExecutionClient, limit_order: Order
) -> None:
    await account.balances()
    venue.answer_next(venue.place_path, Answer(venue.refusal))
    with pytest.raises(VenueRefused) as refused:
        await account.place(limit_order, allow)
    assert refused.value.code is RejectCode.INSUFFICIENT_BALANCE
    assert "nsufficient" in refused.value.reason


async def test_what_may_have_been_done_is_in_doubt_whatever_ccxt_makes_of_it(
    venue: FakeVenue, account: CcxtExecutionClient, limit_order: Order
) -> None:
    await account.balances()
    venue.answer_next(venue.place_path, Answer(venue.doubtful, after=True))
    with pytest.raises(OutcomeUnknown):
        await account.place(limit_order, allow)
    assert await account.query_order(limit_order) is not None


async def test_an_order_refused_for_its_time_is_sent_again_under_the_same_id(
    venue: FakeVenue, account: CcxtExecutionClient, limit_order: Order
) -> None:
    if venue.clock_refusal is None:
        return  # the venue answers nothing of its own about the time
    await account.balances()
    venue.answer_next(venue.place_path, Answer(venue.clock_refusal))
    venue.clock_ahead_ms = 60_000
    placed = await account.place(limit_order, allow)
    (order,) = venue.orders.values()
    assert placed.venue_order_id == order.id
    first, second = (request.params[venue.id_parameter] for request in venue.sent_to(venue.place_path))
    assert first == second
    assert abs((account.venue_now().timestamp() * 1000) - venue.now_ms()) < 5_000


async def test_an_order_that_the_venue_does_not_find_is_absent_and_the_profile_says_from_when_on_that_counts(
    connection: VenueConnection, account: CcxtExecutionClient, limit_order: Order
) -> None:
    assert connection.profile is not None
    assert await account.query_order(limit_order) is None
    assert account.absent_after_seconds == connection.profile.absent_after_seconds


@pytest.mark.parametrize("kind", [OrderType.STOP, OrderType.TAKE_PROFIT])
async def test_an_order_that_the_profile_lacks_never_leaves_as_another(
    venue: FakeVenue, connection: VenueConnection, account: CcxtExecutionClient, limit_order: Order, kind: OrderType
) -> None:
    assert connection.profile is not None
    if kind in connection.profile.order_types:
        return
    with pytest.raises(VenueRefused) as refused:
        await account.place(replace(limit_order, type=kind, price=None, stop_price=Decimal(90)), allow)
    assert refused.value.code is RejectCode.UNSUPPORTED
    assert venue.sent_to(venue.place_path) == []


async def test_a_trailing_stop_that_was_triggered_leaves_as_a_market_order(
    venue: FakeVenue, account: CcxtExecutionClient, limit_order: Order
) -> None:
    await account.place(replace(limit_order, type=OrderType.TRAILING_STOP, price=None), allow)
    (order,) = venue.orders.values()
    assert (order.type, order.quantity) == ("market", limit_order.quantity)


async def test_a_time_in_force_is_sent_or_refused_and_never_dropped(
    venue: FakeVenue, connection: VenueConnection, account: CcxtExecutionClient, limit_order: Order
) -> None:
    assert connection.profile is not None
    order = replace(limit_order, time_in_force=TimeInForce.FOK)
    if TimeInForce.FOK in connection.profile.times_in_force:
        await account.place(order, allow)
        assert "fok" in str(venue.sent_to(venue.place_path)[0].params).lower()
    else:
        with pytest.raises(VenueRefused, match="FOK"):
            await account.place(order, allow)


async def test_every_page_of_fills_is_read(venue: FakeVenue, account: CcxtExecutionClient, limit_order: Order) -> None:
    await account.balances()
    order = venue.new_order("theirs", "buy", "limit", "100000", "100")
    made = [venue.fill(order, Decimal("0.001")) for _ in range(2 * venue.page + 7)]
    since = account.venue_now() - timedelta(days=9)
    fills = await account.fills(limit_order.market, since)
    assert {fill.venue_trade_id for fill in fills} == {fill.id for fill in made}
    assert len(fills) == len(made)


async def test_balances_have_what_is_free(venue: FakeVenue, account: CcxtExecutionClient) -> None:
    held = {balance.currency: (balance.total, balance.free) for balance in await account.balances()}
    assert held == venue.held


async def test_open_orders_are_listed_with_our_ids(
    venue: FakeVenue, account: CcxtExecutionClient, limit_order: Order
) -> None:
    await account.place(limit_order, allow)
    venue.new_order("x-somebody", "sell", "limit", "0.1", "200")
    listed = {report.client_order_id: report.market for report in await account.open_orders()}
    assert listed == {limit_order.client_order_id: limit_order.market, "x-somebody": limit_order.market}


async def test_a_guard_that_forbids_keeps_the_order_at_home(
    venue: FakeVenue, account: CcxtExecutionClient, limit_order: Order
) -> None:
    def forbid() -> None:
        raise NotSent("the lease is too old")

    with pytest.raises(NotSent):
        await account.place(limit_order, forbid)
    assert venue.orders == {}


async def test_requests_of_one_key_come_in_the_order_of_their_numbers(
    venue: FakeVenue, account: CcxtExecutionClient, limit_order: Order
) -> None:
    await asyncio.gather(*(account.balances() for _ in range(20)), account.open_orders())
    assert len(venue.received) >= 21


def test_ids_of_orders_that_rest_keep_their_form() -> None:
    assert OrderIdForm.HEXADECIMAL.for_venue(id_of("1")) == id_of("1").removeprefix("r3-")
