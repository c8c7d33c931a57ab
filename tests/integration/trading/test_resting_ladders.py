"""Protection at the venue of a position that further entries enlarge: it follows as one, and never sells twice."""

from collections.abc import AsyncIterator, Iterator
from decimal import Decimal

import pytest

from domain.model.definitions import EntryAdd, ExitDistance, ExitTarget, Sizing
from domain.model.orders import Order, OrderStatus, OrderType
from domain.model.protection import ProtectAt
from domain.model.trading import Position, TradingSession
from domain.rules.grid import grid_of
from domain.trading.dependencies import TradingTimings
from infra.postgres.pool import Pool
from tests.integration.trading.test_submitted_signals import ENTER, submit
from tests.support.sandbox import SandboxProcess, session_sandbox
from tests.support.trading import BTC
from tests.support.trading_node import NEVER, TradingNode, cents, strategy, trading_node
from tests.support.waiting import read_until

QUICK = TradingTimings(venue_exit_wait=0.3, resting_pause=0.1, trailing_pause=0.1, poll_interval=0.1)
QUOTE_900 = Sizing(quote_amount=Decimal(900))


@pytest.fixture(scope="module")
def exchange() -> Iterator[SandboxProcess]:
    """An exchange whose price the tests of this module move."""
    with session_sandbox(seed=13) as sandbox:
        yield sandbox


@pytest.fixture
async def node(pool: Pool, exchange: SandboxProcess) -> AsyncIterator[TradingNode]:
    async with trading_node(pool, exchange.url, exchange.admin_token) as node:
        await node.trader.close()
        await node.restart("quick", QUICK)
        yield node


async def move(exchange: SandboxProcess, price: Decimal) -> None:
    """Move the market, and return once it has traded there."""
    await exchange.move_price(BTC.symbol, str(cents(price)))

    async def last_price() -> Decimal:
        return Decimal((await exchange.get("/api/v3/ticker/price?symbol=BTCUSDT"))["price"])

    await read_until(last_price, lambda now: abs(now / price - 1) < Decimal("0.01"), "the market has moved")


def percent(value: str) -> ExitDistance:
    return ExitDistance(percent=Decimal(value))


async def entered(node: TradingNode, **changes: object) -> TradingSession:
    """Return a session that has bought once, may buy twice more, and whose protection rests at the venue."""
    definition = strategy(
        enter_long=NEVER,
        sizing=QUOTE_900,
        adds=(EntryAdd(on_entry_signal=True, count=2),),
        protect_at=ProtectAt.VENUE,
        **{"stop_loss": percent("5"), **changes},
    )
    session = await node.session(await node.account(), definition)
    await submit(node, session, ENTER)
    await until_whole(node, session)
    return session


async def until_whole(node: TradingNode, session: TradingSession, more_than: Decimal = Decimal(0)) -> Position:
    """Return the position once it is larger, and all of it rests at the venue once: one stop, at most one target."""
    grid = grid_of(node.hub.catalogue.get(BTC), OrderType.STOP)

    async def read() -> tuple[Position | None, list[Order]]:
        return await node.position(session), await active_sells(node, session)

    def is_whole(now: tuple[Position | None, list[Order]]) -> bool:
        held, active = now
        if held is None or held.quantity <= more_than or not active:
            return False
        types = [order.type for order in active]
        is_resting = all(order.status is OrderStatus.OPEN for order in active) and len(set(types)) == len(types)
        return is_resting and {order.quantity for order in active} == {grid.largest_order(held.quantity)}

    held, _ = await read_until(read, is_whole, "all of the position rests once")
    assert held is not None
    return held


async def active_sells(node: TradingNode, session: TradingSession) -> list[Order]:
    return [o for o in await node.orders_of(session) if o.role.is_exit and not o.status.is_final]


async def assert_nothing_was_doubled(node: TradingNode, session: TradingSession) -> None:
    """Check that the venue has refused nothing, and that what was sold is what was bought, but for fees and dust."""
    known = await node.orders_of(session)
    assert not [o for o in known if o.status in {OrderStatus.REJECTED, OrderStatus.DENIED}]
    position = await node.position(session)
    assert position is not None
    bought = sum(o.filled_quantity for o in known if o.role.value == "ENTRY")
    sells = sum(o.filled_quantity for o in known if o.role.is_exit)
    assert 0 <= bought - sells <= bought * Decimal("0.002") + position.dust
    assert position.missing == 0


async def test_each_further_entry_replaces_what_rests_by_all_of_the_position(
    node: TradingNode,
    exchange: SandboxProcess,
) -> None:
    session = await entered(node, take_profit=percent("5"))
    quantity = (await until_whole(node, session)).quantity
    for _ in range(2):
        await submit(node, session, ENTER)
        quantity = (await until_whole(node, session, quantity)).quantity
    assert len(await active_sells(node, session)) == 2
    await move(exchange, node.feed.price * Decimal("0.9"))
    await node.until_position(session, lambda now: now.closed_at, "its stop-loss at the venue sells all of it")
    filled = [order for order in await node.orders_of(session) if order.role.is_exit and order.filled_quantity]
    assert [order.role.value for order in filled] == ["STOP_LOSS"]
    await assert_nothing_was_doubled(node, session)
    await move(exchange, node.feed.price)


async def test_a_crash_after_the_fill_of_a_further_entry_leaves_one_protection_of_all(
    node: TradingNode,
    exchange: SandboxProcess,
) -> None:
    session = await entered(node, take_profit=percent("5"))
    before = (await until_whole(node, session)).quantity
    await submit(node, session, ENTER)
    await node.until_position(session, lambda now: now.quantity > before, "it adds")
    await node.trader.close()  # before, while or after what rests is replaced
    await node.restart("after the crash", QUICK)
    await until_whole(node, session, before)
    await move(exchange, node.feed.price * Decimal("1.1"))
    await node.until_position(session, lambda now: now.closed_at, "its take-profit at the venue sells all of it")
    await assert_nothing_was_doubled(node, session)
    await move(exchange, node.feed.price)


async def test_a_further_entry_while_a_partial_target_is_sold_leaves_the_rest_protected_as_one(
    node: TradingNode,
    exchange: SandboxProcess,
) -> None:
    session = await entered(node, targets=(ExitTarget(percent("3"), Decimal(50)),))
    before = (await until_whole(node, session)).quantity
    await node.feed.trade(cents(node.feed.price * Decimal("1.04")))
    await submit(node, session, ENTER)
    held = await until_whole(node, session)

    async def sells() -> list[Order]:
        return [o for o in await node.orders_of(session) if o.role.value == "TAKE_PROFIT" and o.filled_quantity]

    (target,) = await read_until(sells, lambda now: len(now) == 1, "a part is sold once")
    assert target.filled_quantity <= before
    held = await until_whole(node, session)
    await move(exchange, node.feed.price * Decimal("0.9"))
    await node.until_position(session, lambda now: now.closed_at, "its stop-loss sells the rest")
    assert held.closed_at is None
    await assert_nothing_was_doubled(node, session)
    await move(exchange, node.feed.price)
