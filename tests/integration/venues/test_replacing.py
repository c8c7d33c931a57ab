"""Cancel and replace in one request, by the real ccxt class at the sandbox, which answers as Binance documents it."""

from decimal import Decimal
from uuid import uuid4

import pytest

from domain.model.orders import Order, OrderStatus, OrderType, RejectCode
from domain.ports.execution_client import NotSent, OutcomeUnknown, VenueRefused
from infra.venues.registry import Venues
from tests.support.sandbox import SandboxProcess
from tests.support.venues import BTC, Trader, allow, best_bid, new_order, open_trader


async def below(venues: Venues, share: str, **changes: object) -> Order:
    """A limit order to buy at a share of the best bid."""
    price = (await best_bid(venues) * Decimal(share)).quantize(Decimal("0.01"))
    return new_order(type=OrderType.LIMIT, price=price, **changes)


async def test_the_old_order_is_gone_and_the_new_one_rests(trader: Trader, venues: Venues) -> None:
    old, new = await below(venues, "0.97"), await below(venues, "0.96", quantity=Decimal("0.02"))
    await trader.venue.place(old, allow)
    assert trader.venue.can_replace(BTC)
    report = await trader.venue.replace(old, new, allow)
    assert (report.canceled.client_order_id, report.canceled.status) == (old.client_order_id, OrderStatus.CANCELED)
    assert report.placed is not None
    assert (report.placed.client_order_id, report.placed.status) == (new.client_order_id, OrderStatus.OPEN)
    (resting,) = await trader.venue.open_orders()
    assert (resting.client_order_id, resting.quantity, resting.price) == (new.client_order_id, new.quantity, new.price)
    found = await trader.venue.query_order(old)
    assert found is not None
    assert found.status is OrderStatus.CANCELED


async def test_a_stop_order_is_replaced_by_one(trader: Trader, venues: Venues) -> None:
    price = (await best_bid(venues) * Decimal("1.05")).quantize(Decimal("0.01"))
    old, new = (new_order(type=OrderType.STOP, stop_price=price + step) for step in (0, 1))
    await trader.venue.place(old, allow)
    report = await trader.venue.replace(old, new, allow)
    assert report.placed is not None
    (resting,) = await trader.venue.open_orders()
    assert (resting.type, resting.stop_price) == (OrderType.STOP, price + 1)


async def test_a_new_order_that_fills_at_once_comes_with_its_fills(trader: Trader, venues: Venues) -> None:
    old, new = await below(venues, "0.97"), await below(venues, "1.02")
    await trader.venue.place(old, allow)
    report = await trader.venue.replace(old, new, allow)
    assert report.placed is not None
    assert (report.placed.status, sum(fill.quantity for fill in report.placed.fills)) == (
        OrderStatus.FILLED,
        new.quantity,
    )


async def test_without_the_old_order_nothing_is_placed(trader: Trader, venues: Venues) -> None:
    old, new = await below(venues, "0.97"), await below(venues, "0.96")
    with pytest.raises(VenueRefused, match="Unknown order"):
        await trader.venue.replace(old, new, allow)
    assert await trader.venue.open_orders() == []
    assert await trader.venue.query_order(new) is None


async def test_a_refused_new_order_leaves_nothing_and_says_so(venues: Venues) -> None:
    poor = await open_trader(venues, f"poor-{uuid4()}", {"USDT": Decimal(1000)})
    try:
        old, new = await below(venues, "0.97"), await below(venues, "0.96", quantity=Decimal(1))
        await poor.venue.place(old, allow)
        report = await poor.venue.replace(old, new, allow)
        assert (report.canceled.status, report.placed) == (OrderStatus.CANCELED, None)
        assert report.refusal is not None
        assert report.refusal.code is RejectCode.INSUFFICIENT_BALANCE
        assert await poor.venue.open_orders() == []
    finally:
        await poor.venue.close()


async def test_a_filter_refuses_before_anything_is_cancelled(trader: Trader, venues: Venues) -> None:
    old, new = await below(venues, "0.97"), await below(venues, "0.96", quantity=Decimal("0.00000001"))
    await trader.venue.place(old, allow)
    with pytest.raises(VenueRefused):
        await trader.venue.replace(old, new, allow)
    assert [report.client_order_id for report in await trader.venue.open_orders()] == [old.client_order_id]


async def test_a_guard_that_forbids_keeps_everything_as_it_is(trader: Trader, venues: Venues) -> None:
    def forbid() -> None:
        raise NotSent("not now")

    old, new = await below(venues, "0.97"), await below(venues, "0.96")
    await trader.venue.place(old, allow)
    with pytest.raises(NotSent):
        await trader.venue.replace(old, new, forbid)
    assert [report.client_order_id for report in await trader.venue.open_orders()] == [old.client_order_id]


async def test_a_swallowed_answer_is_an_unknown_outcome_that_both_ids_answer(
    sandbox: SandboxProcess, trader: Trader, venues: Venues
) -> None:
    old, new = await below(venues, "0.97"), await below(venues, "0.96")
    await trader.venue.place(old, allow)
    await sandbox.inject_faults(swallowOrders=1)
    with pytest.raises(OutcomeUnknown):
        await trader.venue.replace(old, new, allow)
    found = [await trader.venue.query_order(order) for order in (old, new)]
    assert [report.status for report in found if report] == [OrderStatus.CANCELED, OrderStatus.OPEN]
