"""An entry that was placed in the moment in which its position began to be closed."""

from decimal import Decimal

import pytest

from domain.model.order_side import OrderSide
from domain.model.orders import CancelCode, Order, OrderRole, OrderStatus, OrderType
from domain.model.protection import PositionIntent
from domain.model.trading import TradingSession
from tests.support.order_harness import OrderHarness
from tests.support.orders import an_order
from tests.support.scripted_venue import ScriptedVenue
from tests.support.trading import new_id, new_session, new_strategy, new_version


async def store_session(harness: OrderHarness) -> TradingSession:
    """Store a trading session of the account that nobody runs."""
    strategy = new_strategy(harness.user.id)
    version = new_version(strategy)
    session = new_session(harness.user.id, harness.account.id, version.id, market=an_order().market)
    async with harness.database.transaction() as transaction:
        await transaction.strategies.add(strategy, version)
        await transaction.trading_sessions.add(session)
    return session


async def store_close(harness: OrderHarness, session: TradingSession, quantity: Decimal | None = None) -> None:
    """Store the intent to close what a session holds, or a part of it."""
    intent = PositionIntent(
        id=new_id(), user_id=session.user_id, account_id=session.account_id, market=session.market,
        role=OrderRole.STOP_LOSS, reason="It was reached.", since=harness.clock.now(), trading_session_id=session.id,
        quantity=quantity,
    )  # fmt: skip
    async with harness.database.transaction() as transaction:
        assert await transaction.protection.add_intent(intent)


async def store_order(harness: OrderHarness, session: TradingSession, role: OrderRole) -> Order:
    """Store a pending market order of a session, as the session does."""
    now = harness.clock.now()
    order = an_order(
        id=new_id(), user_id=session.user_id, account_id=session.account_id, trading_session_id=session.id, role=role,
        side=OrderSide.BUY, type=OrderType.MARKET, price=None, created_at=now, updated_at=now,
    )  # fmt: skip
    async with harness.database.transaction() as transaction:
        await transaction.orders.add(order)
    return order


async def test_an_entry_into_a_position_that_is_being_closed_is_not_sent(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    session = await store_session(harness)
    await store_close(harness, session)
    entry = await store_order(harness, session, OrderRole.ENTRY)
    await harness.start()
    ended = await harness.until(entry.id, "CANCELED")
    assert ended.cancel_code is CancelCode.EXIT
    assert venue.received == []


@pytest.mark.parametrize("quantity", [None, Decimal("0.5")], ids=["another session", "a part"])
async def test_an_entry_is_sent_whatever_else_is_being_closed(harness: OrderHarness, quantity: Decimal | None) -> None:
    session, other = await store_session(harness), await store_session(harness)
    await store_close(harness, session if quantity else other, quantity)
    entry = await store_order(harness, session, OrderRole.ENTRY)
    await harness.start()
    assert (await harness.until(entry.id, "FILLED")).status is OrderStatus.FILLED
