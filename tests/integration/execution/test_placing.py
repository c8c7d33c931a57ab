import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from domain.core.errors import ErrorCode, InputError, InputErrors
from domain.execution.notifications import OrderNotifier
from domain.execution.service import OrderService
from domain.model.markets import FeedState
from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderStatus, OrderType, RejectCode, RiskCode
from infra.embedded.bus import EmbeddedBus
from tests.support.order_harness import OrderHarness, no_abilities
from tests.support.scripted_venue import Fate, ScriptedVenue
from tests.support.waiting import PATIENCE_SECONDS, eventually


async def test_a_market_order_is_filled_and_has_all_events(harness: OrderHarness, venue: ScriptedVenue) -> None:
    await harness.start()
    order = await harness.place()
    assert order.status is OrderStatus.FILLED
    assert order.filled_quantity == 1
    assert await harness.kinds(order.id) == ["PENDING", "SUBMITTED", "ACCEPTED", "FILL"]
    assert venue.received == [order.client_order_id]
    assert (await harness.positions())[0].quantity == 1


async def test_every_event_is_the_order_one_revision_on(harness: OrderHarness, venue: ScriptedVenue) -> None:
    venue.parts = 4
    await harness.start()
    order = await harness.place()
    story = await harness.order_events(order.id)
    assert [event.order.revision for event in story] == list(range(1, len(story) + 1))
    assert story[-1].order == await harness.read(order.id)


async def test_a_fill_reported_by_answer_and_stream_counts_once(harness: OrderHarness, venue: ScriptedVenue) -> None:
    venue.parts = 4
    await harness.start()
    order = await harness.place()
    report = venue.orders[order.client_order_id]
    venue.publish(*report.fills, report, *reversed(report.fills))
    marker = await harness.place("marker")
    await harness.until(marker.id, "FILLED")
    assert [fill.quantity for fill in await harness.fills(order.id)] == [Decimal("0.25")] * 4
    assert (await harness.kinds(order.id)).count("FILL") == 4
    assert (await harness.positions())[0].quantity == 2


async def test_the_same_key_answers_with_the_same_order_and_sends_nothing(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    first = await harness.place()
    again = await harness.place(quantity=Decimal("1.000"))
    assert again == await harness.read(first.id)
    assert len(venue.received) == 1


async def test_the_same_key_at_once_makes_one_order(harness: OrderHarness, venue: ScriptedVenue) -> None:
    await harness.start()
    orders = await asyncio.gather(*(harness.place() for _ in range(8)))
    assert len({order.id for order in orders}) == 1
    assert len(venue.received) == 1


async def test_the_same_key_with_another_input_is_a_conflict(harness: OrderHarness, venue: ScriptedVenue) -> None:
    await harness.start()
    await harness.place()
    with pytest.raises(InputError) as caught:
        await harness.place(quantity=Decimal(2))
    assert caught.value.code is ErrorCode.CONFLICT
    assert len(venue.received) == 1


async def test_a_denied_order_is_an_order_and_stays_the_answer_to_its_key(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    denied = await harness.place(quantity=Decimal("5000.000001"))
    assert denied.status is OrderStatus.DENIED
    assert {denial.code for denial in denied.denials} == {RiskCode.QUANTITY_PRECISION, RiskCode.INSUFFICIENT_BALANCE}
    assert (await harness.place(quantity=Decimal("5000.000001"))).id == denied.id
    assert venue.received == []
    assert await harness.kinds(denied.id) == ["PENDING", "DENIED"]


async def test_what_cannot_be_read_leaves_no_row_and_no_claim(harness: OrderHarness, venue: ScriptedVenue) -> None:
    await harness.start()
    with pytest.raises(InputErrors) as caught:
        await harness.place(quantity=Decimal(0), type=OrderType.LIMIT)
    assert [error.path for error in caught.value.errors] == [("input", "quantity"), ("input", "price")]
    order = await harness.place()
    assert order.status is OrderStatus.FILLED


async def test_a_refusal_by_the_venue_is_a_rejection_with_its_words(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    venue.fates.append(Fate.REFUSED)
    await harness.start()
    order = await harness.place()
    assert (order.status, order.reject_reason) == (OrderStatus.REJECTED, "insufficient balance")
    assert order.reject_code is RejectCode.INSUFFICIENT_BALANCE


async def test_without_an_executor_the_answer_is_the_order_as_it_is_after_two_seconds(harness: OrderHarness) -> None:
    service = OrderService(
        harness.database, harness.markets, harness.clock, harness.ids, harness.notifier, no_abilities
    )
    before = harness.clock.monotonic()
    order = await service.place(harness.user.id, harness.request(), "k")
    assert order.status is OrderStatus.PENDING
    assert harness.clock.monotonic() - before > 1.9


async def test_an_order_is_read_again_soon_only_if_no_executor_on_this_node_reports_its_changes(
    harness: OrderHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    wait_for_change = harness.notifier.wait_for_change

    async def noting(order_id: UUID, seconds: float) -> Order | None:
        waits.append(seconds)
        return await wait_for_change(order_id, seconds)

    monkeypatch.setattr(harness.notifier, "wait_for_change", noting)
    await harness.place("elsewhere")
    assert waits[0] <= 0.05
    waits.clear()
    await harness.start()
    assert (await harness.limit("here")).status is OrderStatus.OPEN
    assert waits[0] > 0.05


async def test_an_order_is_placed_by_a_node_that_shares_only_the_database(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    elsewhere = OrderNotifier(EmbeddedBus())
    parts = (harness.database, harness.markets, harness.clock, harness.ids, elsewhere)
    service = OrderService(*parts, no_abilities, PATIENCE_SECONDS)
    order = await service.place(harness.user.id, harness.request(), "k")
    assert order.status is OrderStatus.FILLED


async def test_a_status_that_overtakes_its_fills_causes_a_query(harness: OrderHarness, venue: ScriptedVenue) -> None:
    venue.publishes_on_stream = venue.answers_with_fills = False
    venue.parts = 4
    await harness.start()
    order = await harness.place()
    order = await harness.until(order.id, "FILLED")
    assert order.filled_quantity == 1


async def test_orders_of_an_account_are_sent_one_after_another(harness: OrderHarness, venue: ScriptedVenue) -> None:
    await harness.start()
    orders = await asyncio.gather(*(harness.place(f"k{number}") for number in range(10)))
    assert {order.status for order in orders} == {OrderStatus.FILLED}
    assert sorted(venue.received) == sorted(order.client_order_id for order in orders)
    assert (await harness.positions())[0].quantity == 10


async def test_a_cold_feed_is_waited_for_and_then_the_order_denied(harness: OrderHarness) -> None:
    await harness.start()
    harness.markets.book = None
    order = await harness.place()
    assert [denial.code for denial in order.denials] == [RiskCode.STALE_MARKET_DATA]
    assert harness.markets.depth_requests == 2


@pytest.mark.parametrize("state", [FeedState.RECONNECTING, FeedState.STALE])
async def test_a_feed_that_has_been_away_for_a_while_keeps_no_order_waiting(
    harness: OrderHarness, state: FeedState
) -> None:
    await harness.start()
    harness.markets.book, harness.markets.state = None, state
    harness.markets.since = datetime.now(UTC) - timedelta(seconds=10)
    order = await harness.place()
    assert [denial.code for denial in order.denials] == [RiskCode.STALE_MARKET_DATA]
    assert harness.markets.depth_requests == 0


async def test_the_sale_of_what_one_holds_opens_no_short_position(harness: OrderHarness) -> None:
    await harness.start()
    assert (await harness.place("own", side=OrderSide.SELL, quantity=Decimal(2))).status is OrderStatus.FILLED
    assert await harness.positions() == []
    await harness.place("in")
    sold = await harness.place("more", side=OrderSide.SELL, quantity=Decimal(3))
    assert sold.filled_quantity == 3
    assert await harness.positions() == []


@pytest.mark.parametrize(
    ("code", "reloads"), [(RejectCode.QUANTITY, ["sandbox"]), (RejectCode.INSUFFICIENT_BALANCE, [])]
)
async def test_the_markets_are_loaded_again_when_the_venue_refuses_an_order_for_a_filter(
    harness: OrderHarness, venue: ScriptedVenue, code: RejectCode, reloads: list[str]
) -> None:
    await harness.start()
    venue.fates.append(Fate.REFUSED)
    venue.refusal_code = code
    assert (await harness.place()).status is OrderStatus.REJECTED
    await eventually(lambda: harness.markets.reload_requests == reloads, "they are loaded again, or not")
