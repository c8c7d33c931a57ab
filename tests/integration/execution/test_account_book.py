"""What is remembered of an account is what is stored, whatever happens to its orders; and nobody is denied by it."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import count

from domain.execution.risk_loader import recent_since
from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderStatus
from domain.model.trading import Balance, RiskLimits
from domain.ports.execution_client import BalanceReport
from domain.ports.orders import RiskSnapshot
from tests.support.order_harness import OrderHarness
from tests.support.orders import an_order
from tests.support.scripted_venue import Fate, ScriptedVenue
from tests.support.waiting import read_until


def essence(order: Order) -> tuple[object, ...]:
    """Return what the risk checks use of an order; requests to cancel it may come from other nodes."""
    return order.id, order.status, order.filled_quantity, order.filled_cost, order.submitted_at, order.accepted_at


def contents(snapshot: RiskSnapshot) -> dict[str, object]:
    return {
        "limits": snapshot.limits,
        "balances": {balance.currency: balance for balance in snapshot.balances},
        "positions": {position.id: position for position in snapshot.positions},
        "active": {essence(order) for order in snapshot.active},
        "recent": {essence(order) for order in snapshot.recent},
    }


async def differences(harness: OrderHarness) -> list[str]:
    """Return in what the account's book differs from what is stored; it has to be known."""
    new = an_order(id=harness.ids.next_id(), account_id=harness.account.id)
    since = recent_since(harness.clock.now())
    await harness.context.wait_idle()
    known = harness.context.book.snapshot(new, since)
    async with harness.database.read_only() as reading:
        stored = await reading.orders.risk_snapshot(new, since)
    if known is None:
        return ["nothing is known"]
    mine, theirs = contents(known), contents(stored)
    return [f"{part}: {mine[part]} and not {theirs[part]}" for part in mine if mine[part] != theirs[part]]


async def agrees(harness: OrderHarness) -> None:
    await read_until(lambda: differences(harness), lambda found: not found, "the book has what is stored")


async def test_the_book_has_what_is_stored_after_each_kind_of_change(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    await harness.place("in")  # reads the account
    await agrees(harness)
    resting = await harness.limit("rests")
    await agrees(harness)
    venue.fill(resting.client_order_id, "0.4", "90")
    await harness.until(resting.id, "PARTIALLY_FILLED")
    await agrees(harness)
    await harness.service.cancel(harness.user.id, resting.id)
    await agrees(harness)
    venue.fates.append(Fate.REFUSED)
    assert (await harness.place("refused")).status is OrderStatus.REJECTED
    await agrees(harness)
    await harness.place("out", side=OrderSide.SELL, quantity=Decimal("1.4"))
    assert await harness.positions() == []
    await agrees(harness)
    venue.fates.append(Fate.LOST)
    lost = await harness.place("lost")
    await harness.until(lost.id, "REJECTED")
    keys = map(str, count())

    async def after_another() -> list[str]:
        """Compare after another order: what is known is forgotten when the balances have been asked for."""
        await harness.place(next(keys), quantity=Decimal("0.01"))
        return await differences(harness)

    await read_until(after_another, lambda found: not found, "the book has what is stored")


async def test_the_book_takes_balances_that_are_not_older(harness: OrderHarness, venue: ScriptedVenue) -> None:
    await harness.start()
    await harness.place("in")
    later = venue.venue_now() + timedelta(seconds=5)
    young = Balance("USDT", Decimal(5), Decimal(5), later)
    venue.publish(BalanceReport((young,)))
    await agrees(harness)
    venue.publish(BalanceReport((replace(young, total=Decimal(9), at=later - timedelta(seconds=1)),)))
    await agrees(harness)


async def test_limits_that_another_node_has_set_hold_for_the_next_order(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    await harness.place("in")
    sent = venue.sent
    async with harness.database.transaction() as transaction:
        account = await transaction.accounts.get_for_update(harness.account.id)
        assert account is not None
        await transaction.accounts.update(replace(account, risk=RiskLimits(max_order_notional=Decimal(1))))
    denied = await harness.place("too large")
    assert [denial.code.value for denial in denied.denials] == ["MAX_ORDER_NOTIONAL"]
    assert venue.sent == sent


async def test_no_order_is_denied_by_what_is_remembered(harness: OrderHarness) -> None:
    await harness.start()
    await harness.place("in")
    harness.context.book.put_balances([Balance("USDT", Decimal(0), Decimal(0), None)])
    assert (await harness.place("paid by a deposit elsewhere")).status is OrderStatus.FILLED
