"""Two orders of which one ends the other, by the real ccxt class at the sandbox, which answers as Binance documents."""

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from uuid import uuid4

import pytest

from domain.model.order_side import OrderSide
from domain.model.orders import OrderRole, OrderStatus, OrderType, RejectCode
from domain.ports.execution_client import NotSent, OrderPair, OutcomeUnknown, VenueRefused
from infra.venues.registry import Venues
from tests.support.sandbox import SandboxProcess
from tests.support.venues import Trader, allow, best_bid, new_order, open_trader, recorded_updates


@pytest.fixture
async def holder(venues: Venues) -> AsyncIterator[Trader]:
    opened = await open_trader(venues, f"holder-{uuid4()}", {"BTC": Decimal("0.01")})
    await opened.venue.balances()
    try:
        yield opened
    finally:
        await opened.venue.close()


async def pair(venues: Venues, stop: str = "0.95", profit: str = "1.05") -> OrderPair:
    """A stop-loss and a take-profit at shares of the best bid."""
    bid = await best_bid(venues)

    def leg(type_: OrderType, role: OrderRole, share: str) -> object:
        price = (bid * Decimal(share)).quantize(Decimal("0.01"))
        return new_order(type=type_, role=role, side=OrderSide.SELL, stop_price=price, reduce_only=True)

    return leg(OrderType.STOP, OrderRole.STOP_LOSS, stop), leg(OrderType.TAKE_PROFIT, OrderRole.TAKE_PROFIT, profit)


async def test_both_orders_rest_under_their_own_ids_and_lock_the_coins_once(holder: Trader, venues: Venues) -> None:
    orders = await pair(venues)
    reports = await holder.venue.place_group(orders, allow)
    assert [report.client_order_id for report in reports] == [order.client_order_id for order in orders]
    resting = {report.client_order_id: report for report in await holder.venue.open_orders()}
    for order in orders:
        found = await holder.venue.query_order(order)
        assert found is not None
        assert (found.status, found.type, found.stop_price) == (OrderStatus.OPEN, order.type, order.stop_price)
        assert resting[order.client_order_id].quantity == order.quantity
    (held,) = [balance for balance in await holder.venue.balances() if balance.currency == "BTC"]
    assert (held.total, held.free) == (Decimal("0.01"), Decimal(0))


@pytest.mark.parametrize("which", [0, 1])
async def test_the_cancel_of_either_ends_both_and_is_answered(holder: Trader, venues: Venues, which: int) -> None:
    orders = await pair(venues)
    async with recorded_updates(holder.venue) as log:
        await log.until(lambda now: now.updates, "the stream is open")
        await holder.venue.place_group(orders, allow)
        report = await holder.venue.cancel(orders[which], allow)
        assert report is not None
        assert (report.client_order_id, report.status) == (orders[which].client_order_id, OrderStatus.CANCELED)
        other = await holder.venue.query_order(orders[1 - which])
        assert other is not None
        assert other.status in {OrderStatus.CANCELED, OrderStatus.EXPIRED}
        with pytest.raises(VenueRefused):
            await holder.venue.cancel(orders[1 - which], allow)
    assert await holder.venue.open_orders() == []


@pytest.mark.parametrize(("stop", "profit"), [("1.02", "1.05"), ("0.9", "0.95")])
async def test_a_price_that_the_market_has_passed_refuses_both(
    holder: Trader, venues: Venues, stop: str, profit: str
) -> None:
    orders = await pair(venues, stop, profit)
    with pytest.raises(VenueRefused) as refused:
        await holder.venue.place_group(orders, allow)
    assert refused.value.code is RejectCode.STOP_PRICE
    assert [await holder.venue.query_order(order) for order in orders] == [None, None]


async def test_too_little_is_refused_for_both(holder: Trader, venues: Venues) -> None:
    stop, profit = (replace(order, quantity=Decimal("0.02")) for order in await pair(venues))
    with pytest.raises(VenueRefused) as refused:
        await holder.venue.place_group((stop, profit), allow)
    assert refused.value.code is RejectCode.INSUFFICIENT_BALANCE
    assert await holder.venue.open_orders() == []


async def test_what_a_list_can_not_have_is_refused_before_it_is_sent(holder: Trader, venues: Venues) -> None:
    stop, profit = await pair(venues)
    with pytest.raises(VenueRefused) as refused:
        await holder.venue.place_group((stop, replace(profit, type=OrderType.MARKET, stop_price=None)), allow)
    assert refused.value.code is RejectCode.UNSUPPORTED


async def test_a_guard_that_forbids_sends_nothing(holder: Trader, venues: Venues) -> None:
    def forbid() -> None:
        raise NotSent("not now")

    orders = await pair(venues)
    with pytest.raises(NotSent):
        await holder.venue.place_group(orders, forbid)
    assert await holder.venue.open_orders() == []


async def test_a_swallowed_answer_is_an_unknown_outcome_that_both_ids_answer(
    sandbox: SandboxProcess, holder: Trader, venues: Venues
) -> None:
    orders = await pair(venues)
    await sandbox.inject_faults(swallowOrders=1)
    with pytest.raises(OutcomeUnknown):
        await holder.venue.place_group(orders, allow)
    found = [await holder.venue.query_order(order) for order in orders]
    assert [report.status for report in found if report] == [OrderStatus.OPEN, OrderStatus.OPEN]
