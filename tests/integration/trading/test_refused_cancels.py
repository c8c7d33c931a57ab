"""What waits for an order whose cancel the venue refuses: it says so, asks again, and goes on when the order ends."""

from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest

from domain.model.definitions import OrderStyle
from domain.model.orders import Order, OrderRole, OrderStatus, OrderType
from domain.model.protection import PositionIntent
from domain.model.trading import TradingSession
from domain.ports.execution_client import OrderReport, SendGuard, VenueRefused
from infra.venues.ccxt.execution_client import CcxtExecutionClient
from tests.support.trading_node import TradingNode, strategy
from tests.support.waiting import read_until


class RefusingVenue:
    """Refuses to cancel orders until it `gives_in`."""

    def __init__(self, patched: pytest.MonkeyPatch) -> None:
        self.gives_in = False
        plain: Callable[..., Awaitable[OrderReport | None]] = CcxtExecutionClient.cancel

        async def cancel(client: CcxtExecutionClient, order: Order, guard: SendGuard) -> OrderReport | None:
            if not self.gives_in:
                raise VenueRefused("this key may not cancel")
            return await plain(client, order, guard)

        patched.setattr(CcxtExecutionClient, "cancel", cancel)


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> RefusingVenue:
    monkeypatch.setattr("domain.execution.refused_cancels.CANCEL_RETRY_SECONDS", 0.2)
    return RefusingVenue(monkeypatch)


async def resting_entry(node: TradingNode, **changes: object) -> tuple[TradingSession, Order]:
    """Return a trading session whose limit entry rests 20 % below the market."""
    order = OrderStyle(OrderType.LIMIT, offset_bps=Decimal(2000))
    session = await node.session(await node.account(), strategy(order=order, **changes))
    await node.feed.close_candle()
    return session, await node.until_order(session, lambda order: order.status is OrderStatus.OPEN)


async def alerts(node: TradingNode) -> list[str]:
    return [message for message in await node.alerts() if "The venue refuses to cancel" in message]


@pytest.mark.parametrize("closes", [False, True])
async def test_a_stop_says_that_the_venue_does_not_cancel_and_ends_once_it_does(
    node: TradingNode, refusing: RefusingVenue, *, closes: bool
) -> None:
    session, entry = await resting_entry(node)
    await node.trading_sessions.stop(node.user.id, session.id, close_position=closes)
    waits = await node.until(
        session, lambda now: "has refused to cancel it" in (now.status_reason or ""), "it says why"
    )
    assert entry.client_order_id in (waits.status_reason or "")
    assert len(await read_until(lambda: alerts(node), bool, "there is an alert")) == 1
    refusing.gives_in = True
    await node.until(session, lambda now: now.status.value == "STOPPED", "it stops")
    assert (await node.order(entry.id)).status is OrderStatus.CANCELED
    assert len(await alerts(node)) == 1


async def test_an_exit_that_waits_for_an_entry_says_so_until_the_venue_cancels_it(
    node: TradingNode, refusing: RefusingVenue
) -> None:
    price = node.feed.price
    session, entry = await resting_entry(node, exit_long=f"crosses_below(close, {price / 2})")

    async def intents() -> list[PositionIntent]:
        async with node.database.read_only() as reading:
            return await reading.protection.list_open_intents(session.account_id)

    await node.feed.close_candle(close=price / 4)
    (waiting,) = await read_until(
        intents, lambda now: now and "has refused to cancel it" in (now[0].waits_for or ""), "it says what it waits for"
    )
    assert (waiting.role, entry.client_order_id in (waiting.waits_for or "")) == (OrderRole.EXIT, True)
    assert len(await read_until(lambda: alerts(node), bool, "there is an alert")) == 1
    refusing.gives_in = True
    await read_until(intents, lambda now: now == [], "the intent ends")
    assert (await node.order(entry.id)).status is OrderStatus.CANCELED
