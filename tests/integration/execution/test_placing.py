import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from domain.core.errors import ErrorCode, InputError, InputErrors
from domain.execution.service import OrderService
from domain.model.markets import FeedState
from domain.model.orders import OrderStatus, OrderType, RiskCode
from domain.model.reject_codes import RejectCode
from tests.support.order_harness import OrderHarness
from tests.support.scripted_venue import Fate, ScriptedVenue


async def test_a_market_order_is_filled_and_its_whole_life_is_told(floor: OrderHarness, venue: ScriptedVenue) -> None:
    await floor.start()
    order = await floor.place()
    assert order.status is OrderStatus.FILLED
    assert order.filled_quantity == 1
    assert await floor.kinds(order.id) == ["PENDING", "SUBMITTED", "ACCEPTED", "FILL"]
    assert venue.received == [order.client_order_id]
    assert (await floor.positions())[0].quantity == 1


async def test_every_event_is_the_order_one_revision_on(floor: OrderHarness, venue: ScriptedVenue) -> None:
    venue.parts = 4
    await floor.start()
    order = await floor.place()
    story = await floor.story(order.id)
    assert [event.order.revision for event in story] == list(range(1, len(story) + 1))
    assert story[-1].order == await floor.read(order.id)


async def test_a_fill_told_by_answer_and_stream_counts_once(floor: OrderHarness, venue: ScriptedVenue) -> None:
    venue.parts = 4
    await floor.start()
    order = await floor.place()
    told = venue.orders[order.client_order_id]
    venue.tell(*told.fills, told, *reversed(told.fills))
    marker = await floor.place("marker")
    await floor.until(marker.id, "FILLED")
    assert [fill.quantity for fill in await floor.fills(order.id)] == [Decimal("0.25")] * 4
    assert (await floor.kinds(order.id)).count("FILL") == 4
    assert (await floor.positions())[0].quantity == 2


async def test_the_same_key_answers_with_the_same_order_and_sends_nothing(
    floor: OrderHarness, venue: ScriptedVenue
) -> None:
    await floor.start()
    first = await floor.place()
    again = await floor.place(quantity=Decimal("1.000"))
    assert again == await floor.read(first.id)
    assert len(venue.received) == 1


async def test_the_same_key_at_once_makes_one_order(floor: OrderHarness, venue: ScriptedVenue) -> None:
    await floor.start()
    orders = await asyncio.gather(*(floor.place() for _ in range(8)))
    assert len({order.id for order in orders}) == 1
    assert len(venue.received) == 1


async def test_the_same_key_with_another_input_is_a_conflict(floor: OrderHarness, venue: ScriptedVenue) -> None:
    await floor.start()
    await floor.place()
    with pytest.raises(InputError) as caught:
        await floor.place(quantity=Decimal(2))
    assert caught.value.code is ErrorCode.CONFLICT
    assert len(venue.received) == 1


async def test_a_denied_order_is_an_order_and_stays_the_answer_to_its_key(
    floor: OrderHarness, venue: ScriptedVenue
) -> None:
    await floor.start()
    denied = await floor.place(quantity=Decimal("5000.000001"))
    assert denied.status is OrderStatus.DENIED
    assert {denial.code for denial in denied.denials} == {RiskCode.QUANTITY_PRECISION, RiskCode.INSUFFICIENT_BALANCE}
    assert (await floor.place(quantity=Decimal("5000.000001"))).id == denied.id
    assert venue.received == []
    assert await floor.kinds(denied.id) == ["PENDING", "DENIED"]


async def test_what_cannot_be_read_leaves_no_row_and_no_claim(floor: OrderHarness, venue: ScriptedVenue) -> None:
    await floor.start()
    with pytest.raises(InputErrors) as caught:
        await floor.place(quantity=Decimal(0), type=OrderType.LIMIT)
    assert [error.path for error in caught.value.errors] == [("input", "quantity"), ("input", "price")]
    order = await floor.place()
    assert order.status is OrderStatus.FILLED


async def test_a_refusal_by_the_venue_is_a_rejection_with_its_words(floor: OrderHarness, venue: ScriptedVenue) -> None:
    venue.fates.append(Fate.REFUSED)
    await floor.start()
    order = await floor.place()
    assert (order.status, order.reject_reason) == (OrderStatus.REJECTED, "insufficient balance")
    assert order.reject_code is RejectCode.INSUFFICIENT_BALANCE


async def test_without_an_executor_the_answer_is_the_order_as_it_is_after_two_seconds(floor: OrderHarness) -> None:
    service = OrderService(floor.database, floor.markets, floor.clock, floor.ids, floor.bell)
    before = floor.clock.monotonic()
    order = await service.place(floor.user.id, floor.request(), "k")
    assert order.status is OrderStatus.PENDING
    assert floor.clock.monotonic() - before > 1.9


async def test_an_order_is_placed_by_a_node_that_shares_only_the_database(
    floor: OrderHarness, venue: ScriptedVenue
) -> None:
    await floor.start()
    floor.bell._listeners.clear()
    floor.bus._subscriptions.clear()
    assert (await floor.place()).status is OrderStatus.FILLED


async def test_a_status_that_overtakes_its_fills_makes_them_be_asked_for(
    floor: OrderHarness, venue: ScriptedVenue
) -> None:
    venue.tells_by_stream = venue.answers_with_fills = False
    venue.parts = 4
    await floor.start()
    order = await floor.place()
    order = await floor.until(order.id, "FILLED")
    assert order.filled_quantity == 1


async def test_orders_of_an_account_are_sent_one_after_another(floor: OrderHarness, venue: ScriptedVenue) -> None:
    await floor.start()
    orders = await asyncio.gather(*(floor.place(f"k{number}") for number in range(10)))
    assert {order.status for order in orders} == {OrderStatus.FILLED}
    assert sorted(venue.received) == sorted(order.client_order_id for order in orders)
    assert (await floor.positions())[0].quantity == 10


async def test_a_cold_feed_is_waited_for_and_then_the_order_denied(floor: OrderHarness) -> None:
    await floor.start()
    floor.markets.book = None
    order = await floor.place()
    assert [denial.code for denial in order.denials] == [RiskCode.STALE_MARKET_DATA]
    assert floor.markets.waits == 2


@pytest.mark.parametrize("state", [FeedState.RECONNECTING, FeedState.STALE])
async def test_a_feed_that_has_been_away_for_a_while_keeps_no_order_waiting(
    floor: OrderHarness, state: FeedState
) -> None:
    await floor.start()
    floor.markets.book, floor.markets.state = None, state
    floor.markets.since = datetime.now(UTC) - timedelta(seconds=10)
    order = await floor.place()
    assert [denial.code for denial in order.denials] == [RiskCode.STALE_MARKET_DATA]
    assert floor.markets.waits == 0
