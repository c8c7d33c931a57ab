"""Protection that rests at the venue: a real keeper and a real sandbox, whose price the tests move."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from decimal import Decimal

import pytest

from domain.model.definitions import ExitDistance
from domain.model.order_side import OrderSide
from domain.model.orders import CancelCode, Order, OrderRole, OrderStatus, OrderType
from domain.model.protection import ExitLevel, PositionProtection, ProtectAt, ProtectionRules
from domain.model.trading import Account, Position
from domain.rules.bracket_request import BracketRequest
from domain.rules.order_request import OrderRequest
from domain.trading.close_requests import PositionCloseRequest
from domain.trading.dependencies import TradingTimings
from domain.trading.halts import HaltRequest
from domain.trading.protection_requests import PositionProtectRequest
from infra.postgres.pool import Pool
from tests.support.sandbox import SandboxProcess, session_sandbox
from tests.support.trading import BTC
from tests.support.trading_node import TradingNode, cents, strategy, trading_node
from tests.support.waiting import eventually, read_until

TWO, THREE = ExitLevel(percent=Decimal(2)), ExitLevel(percent=Decimal(3))
QUANTITY = Decimal("0.01")
QUICK = TradingTimings(venue_exit_wait=0.3, resting_pause=0.1, trailing_pause=0.1, poll_interval=0.1)


@pytest.fixture(scope="module")
def exchange() -> Iterator[SandboxProcess]:
    """An exchange whose price the tests of this module move."""
    with session_sandbox(seed=11) as sandbox:
        yield sandbox


@pytest.fixture
async def node(pool: Pool, exchange: SandboxProcess) -> AsyncIterator[TradingNode]:
    async with trading_node(pool, exchange.url, exchange.admin_token) as node:
        await node.trader.close()
        await node.restart("quick", QUICK)
        yield node


async def buy(node: TradingNode, account: Account, bracket: BracketRequest | None = None, key: str = "b") -> Order:
    request = OrderRequest(account.id, BTC, OrderSide.BUY, OrderType.MARKET, QUANTITY)
    return await node.orders.place(node.user.id, request, key, bracket)


async def opened(node: TradingNode, bracket: BracketRequest | None = None) -> tuple[Account, Order]:
    account = await node.account()
    await node.until_reconciled(account)
    return account, await buy(node, account, bracket)


async def protections(node: TradingNode, account: Account) -> list[PositionProtection]:
    async with node.database.read_only() as reading:
        return await reading.protection.list_open(account.id)


async def orders(node: TradingNode, account: Account) -> list[Order]:
    """Return the account's orders that close something, oldest first."""
    async with node.database.read_only() as reading:
        everything = await reading.orders.list_changed_since(account.id, account.created_at)
    return [order for order in everything if order.side is OrderSide.SELL]


async def until_orders(
    node: TradingNode, account: Account, condition: Callable[[Sequence[Order]], object], what: str
) -> list[Order]:
    async def read() -> list[Order]:
        return await orders(node, account)

    return await read_until(read, condition, what)


async def until_resting(node: TradingNode, account: Account, count: int) -> list[Order]:
    """Return the orders that rest, the stop first."""
    found = await until_orders(node, account, lambda now: len(resting(now)) == count, f"{count} orders rest")
    return resting(found)


def resting(found: Sequence[Order]) -> list[Order]:
    return [order for order in found if order.status is OrderStatus.OPEN and order.protection_id is not None]


def short(found: Sequence[Order]) -> list[str]:
    return sorted(f"{order.role} {order.status}" for order in found)


async def position(node: TradingNode, account: Account) -> Position | None:
    async with node.database.read_only() as reading:
        found = await reading.positions.list_open(account.id)
    return found[0] if found else None


async def until_flat(node: TradingNode, account: Account) -> list[Order]:
    """Return the orders that sold once the position is closed, nothing is protected and nothing rests any more."""

    async def left() -> tuple[object, ...]:
        active = [order for order in await orders(node, account) if not order.status.is_final]
        return await position(node, account), *await protections(node, account), *active

    await read_until(left, lambda now: now == (None,), "the position is closed and nothing is left of its protection")
    return await orders(node, account)


def sold(found: Sequence[Order]) -> Decimal:
    return sum((order.filled_quantity for order in found), Decimal(0))


async def move(exchange: SandboxProcess, price: Decimal) -> None:
    """Move the market, and return once it has traded there."""
    await exchange.move_price(BTC.symbol, str(cents(price)))

    async def last_price() -> Decimal:
        return Decimal((await exchange.get("/api/v3/ticker/price?symbol=BTCUSDT"))["price"])

    await read_until(last_price, lambda now: abs(now / price - 1) < Decimal("0.01"), "the market has moved")


async def allow_stops(exchange: SandboxProcess, count: int) -> None:
    """Let an account have so many orders with a stop price on the market."""
    filters = [{"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": count}]
    await exchange.admin("filters", {"market": BTC.symbol, "filters": filters})


async def test_a_bracket_rests_as_a_group_of_two_orders(node: TradingNode) -> None:
    account, entry = await opened(node, BracketRequest(TWO, THREE, ProtectAt.VENUE))
    stop, profit = await until_resting(node, account, 2)
    (protection,) = await protections(node, account)
    assert (stop.type, profit.type) == (OrderType.STOP, OrderType.TAKE_PROFIT)
    assert (stop.role, profit.role) == (OrderRole.STOP_LOSS, OrderRole.TAKE_PROFIT)
    assert (stop.stop_price, profit.stop_price) == (protection.stop_loss_price, protection.take_profit_price)
    assert stop.group_id == profit.group_id is not None
    assert {stop.parent_id, profit.parent_id} == {entry.id}
    assert {stop.protection_id, profit.protection_id} == {protection.id}
    held = await position(node, account)
    assert held is not None
    assert 0 <= held.quantity - stop.quantity < Decimal("0.00001")
    assert stop.quantity == profit.quantity


@pytest.mark.parametrize(
    ("share", "role", "other"),
    [("0.96", OrderRole.STOP_LOSS, OrderRole.TAKE_PROFIT), ("1.05", OrderRole.TAKE_PROFIT, OrderRole.STOP_LOSS)],
)
async def test_the_venue_closes_the_position_and_the_other_order_ends(
    node: TradingNode, exchange: SandboxProcess, share: str, role: OrderRole, other: OrderRole
) -> None:
    account, _ = await opened(node, BracketRequest(TWO, THREE))
    await until_resting(node, account, 2)
    await move(exchange, node.feed.price * Decimal(share))
    found = await until_flat(node, account)
    assert len(found) == 2
    by_role = {order.role: order for order in found}
    assert by_role[role].status is OrderStatus.FILLED
    assert by_role[other].status in {OrderStatus.CANCELED, OrderStatus.EXPIRED}
    assert by_role[other].filled_quantity == 0


async def test_what_rests_protects_while_the_engine_is_down(node: TradingNode, exchange: SandboxProcess) -> None:
    account, _ = await opened(node, BracketRequest(TWO, THREE))
    await until_resting(node, account, 2)
    await node.trader.close()
    await move(exchange, node.feed.price * Decimal("0.96"))
    await node.restart("again", QUICK)
    found = await until_flat(node, account)
    assert len(found) == 2
    assert sold(found) == found[0].quantity


async def test_the_engine_sells_itself_what_the_venue_does_not_and_never_both(node: TradingNode) -> None:
    account, _ = await opened(node, BracketRequest(TWO, THREE))
    stop, _profit = await until_resting(node, account, 2)
    assert stop.stop_price is not None
    await node.feed.trade(stop.stop_price)  # a trade that the exchange doesn't know of
    found = await until_flat(node, account)
    assert short(found) == ["STOP_LOSS CANCELED", "STOP_LOSS FILLED", "TAKE_PROFIT CANCELED"]
    assert sold(found) == stop.quantity
    assert {order.cancel_code for order in found if order.status is OrderStatus.CANCELED} == {CancelCode.EXIT}


async def test_what_the_engine_alone_is_to_keep_rests_nowhere(node: TradingNode) -> None:
    account, _ = await opened(node, BracketRequest(TWO, THREE, ProtectAt.ENGINE))

    async def read() -> list[PositionProtection]:
        return await protections(node, account)

    await read_until(read, lambda now: now and now[0].is_active, "the protection is active")
    await node.feed.trade(cents(node.feed.price * Decimal("0.9")))
    found = await until_flat(node, account)
    assert short(found) == ["STOP_LOSS FILLED"]


async def test_a_trailing_stop_follows_the_price_as_one_order(node: TradingNode, exchange: SandboxProcess) -> None:
    account, _ = await opened(node)
    held = await position(node, account)
    assert held is not None
    rules = ProtectionRules(trailing_stop=TWO)
    await node.protection_service.protect(node.user.id, PositionProtectRequest(held.id, rules, ProtectAt.VENUE))
    (first,) = await until_resting(node, account, 1)
    await move(exchange, node.feed.price * Decimal("1.05"))
    await node.feed.trade(cents(node.feed.price * Decimal("1.05")))

    def has_followed(now: Sequence[Order]) -> bool:
        return len(now) == 2 and now[-1].status is OrderStatus.OPEN and now[-1].stop_price > first.stop_price

    old, new = await until_orders(node, account, has_followed, "the stop has followed")
    assert (old.status, old.cancel_code) == (OrderStatus.CANCELED, CancelCode.AMENDED)
    assert (new.replaces_id, new.protection_id, new.role) == (old.id, old.protection_id, OrderRole.TRAILING_STOP)
    await node.feed.trade(cents(node.feed.price * Decimal("1.04")))
    await node.feed.trade(cents(node.feed.price * Decimal("1.05") + Decimal("0.01")))
    await node.feed.close_candle(close=cents(node.feed.price * Decimal("1.05")))
    assert (await until_resting(node, account, 1))[0].id == new.id  # a move of a tick is no reason


async def test_a_changed_protection_takes_the_place_of_the_one_that_rests(node: TradingNode) -> None:
    account, _ = await opened(node)
    held = await position(node, account)
    assert held is not None

    async def protect(rules: ProtectionRules) -> None:
        await node.protection_service.protect(node.user.id, PositionProtectRequest(held.id, rules))

    await protect(ProtectionRules(stop_loss=TWO))
    (stop,) = await until_resting(node, account, 1)
    await protect(ProtectionRules(stop_loss=THREE, take_profit=THREE))
    pair = await until_resting(node, account, 2)
    assert pair[0].stop_price < stop.stop_price
    assert (await node.order(stop.id)).cancel_code is CancelCode.PROTECTION
    await protect(ProtectionRules())
    await until_orders(node, account, lambda now: all(order.status.is_final for order in now), "nothing rests")
    assert await position(node, account) is not None


async def test_closing_a_part_leaves_the_rest_protected(node: TradingNode) -> None:
    account, _ = await opened(node, BracketRequest(TWO, THREE))
    first, _profit = await until_resting(node, account, 2)
    held = await position(node, account)
    assert held is not None
    part = Decimal("0.004")
    await node.position_service.close(node.user.id, PositionCloseRequest(held.id, part), "part")

    def is_smaller(now: Sequence[Order]) -> bool:
        return [order.quantity for order in resting(now)] == [first.quantity - part] * 2

    await until_orders(node, account, is_smaller, "the rest rests")
    await node.position_service.close(node.user.id, PositionCloseRequest(held.id, None), "all")
    found = await until_flat(node, account)
    assert sold(found) == first.quantity


async def test_orders_that_are_cancelled_by_hand_are_not_put_back_and_the_engine_protects(node: TradingNode) -> None:
    account, _ = await opened(node, BracketRequest(TWO, THREE))
    stop, profit = await until_resting(node, account, 2)
    await node.orders.cancel(node.user.id, profit.id)
    await node.until_status(stop, OrderStatus.CANCELED)

    async def alerts() -> list[str]:
        return [message for message in await node.alerts() if "by hand" in message]

    sent = await read_until(alerts, lambda now: len(now) == 1, "it is told")
    assert stop.stop_price is not None
    await node.feed.trade(stop.stop_price)
    found = await until_flat(node, account)
    assert len(found) == 3
    assert await alerts() == sent


async def test_a_halt_leaves_what_protects_at_the_venue(node: TradingNode, exchange: SandboxProcess) -> None:
    account, _ = await opened(node, BracketRequest(TWO, THREE))
    await until_resting(node, account, 2)
    halt = HaltRequest(reduce_only=False, cancel_orders=True)
    await node.halts.set_halt_of_account(node.user.id, account.id, halt)
    await move(exchange, node.feed.price * Decimal("0.96"))
    found = await until_flat(node, account)
    assert len(found) == 2


async def test_a_price_that_the_market_has_passed_closes_at_once(node: TradingNode, exchange: SandboxProcess) -> None:
    account, _ = await opened(node)
    held = await position(node, account)
    assert held is not None
    await node.trader.close()
    await node.protection_service.protect(
        node.user.id, PositionProtectRequest(held.id, ProtectionRules(stop_loss=TWO, take_profit=THREE))
    )
    fallen = node.feed.price * Decimal("0.9")
    await move(exchange, fallen)
    await eventually(lambda: node.hub.price_of(BTC) < fallen * Decimal("1.01"), "the engine has the book of then")
    await node.restart("later", QUICK)
    found = await until_flat(node, account)
    assert short(found) == ["STOP_LOSS FILLED", "STOP_LOSS REJECTED", "TAKE_PROFIT REJECTED"]


async def test_which_price_the_market_has_passed_is_not_guessed_without_market_data(
    node: TradingNode, exchange: SandboxProcess
) -> None:
    account, _ = await opened(node)
    held = await position(node, account)
    assert held is not None
    await node.trader.close()
    await node.protection_service.protect(
        node.user.id, PositionProtectRequest(held.id, ProtectionRules(stop_loss=TWO, take_profit=THREE))
    )
    await node.feed.lose_book()
    await move(exchange, node.feed.price * Decimal("0.9"))
    await node.restart("blind", QUICK)
    found = await until_flat(node, account)
    assert short(found) == ["EXIT FILLED", "STOP_LOSS REJECTED", "TAKE_PROFIT REJECTED"]
    async with node.database.read_only() as reading:
        (intent,) = await reading.protection.list_intents_of_positions([held.id])
    assert intent.reason.endswith("Which one is not known.")


async def test_two_brackets_rest_side_by_side_and_each_sells_its_own(
    node: TradingNode, exchange: SandboxProcess
) -> None:
    account, near = await opened(node, BracketRequest(stop_loss=TWO))
    far = await buy(node, account, BracketRequest(stop_loss=ExitLevel(percent=Decimal(20))), "far")
    await until_resting(node, account, 2)
    await move(exchange, node.feed.price * Decimal("0.96"))

    def has_sold(now: Sequence[Order]) -> bool:
        return any(order.status.is_final for order in now)

    found = await until_orders(node, account, has_sold, "one has sold")
    assert len(found) == 2
    by_entry = {order.parent_id: order for order in found}
    assert by_entry[near.id].status is OrderStatus.FILLED
    assert by_entry[far.id].status is OrderStatus.OPEN
    held = await position(node, account)
    assert held is not None
    assert 0 <= held.quantity - by_entry[far.id].quantity < Decimal("0.00002")


async def test_a_sessions_protection_rests_and_its_exit_takes_its_place(node: TradingNode) -> None:
    account = await node.account()
    definition = strategy(
        stop_loss=ExitDistance(percent=Decimal(2)),
        take_profit=ExitDistance(percent=Decimal(3)),
        protect_at=ProtectAt.VENUE,
    )
    session = await node.session(account, definition)
    await node.feed.close_candle()
    pair = await until_resting(node, account, 2)
    assert {order.trading_session_id for order in pair} == {session.id}
    await node.trading_sessions.stop(node.user.id, session.id, close_position=True)
    await node.until(session, lambda now: now.status.value == "STOPPED", "it has stopped")
    found = await until_flat(node, account)
    assert short(found) == ["CLOSE FILLED", "STOP_LOSS CANCELED", "TAKE_PROFIT CANCELED"]


@pytest.mark.parametrize("reduce_only", [True, False])
async def test_an_order_by_hand_gets_the_coins_that_rest_and_what_is_left_rests_again(
    node: TradingNode, *, reduce_only: bool
) -> None:
    account, _ = await opened(node, BracketRequest(TWO, THREE))
    first, _profit = await until_resting(node, account, 2)
    part = Decimal("0.004")
    request = OrderRequest(account.id, BTC, OrderSide.SELL, OrderType.MARKET, part, reduce_only=reduce_only)
    assert (await node.orders.place(node.user.id, request, "by hand")).status is OrderStatus.FILLED

    def is_smaller(now: Sequence[Order]) -> bool:
        return [order.quantity for order in resting(now)] == [first.quantity - part] * 2

    await until_orders(node, account, is_smaller, "the rest rests")


async def test_an_order_by_hand_for_more_than_there_is_is_denied_and_the_protection_stays(node: TradingNode) -> None:
    account, _ = await opened(node, BracketRequest(TWO, THREE))
    pair = await until_resting(node, account, 2)
    request = OrderRequest(account.id, BTC, OrderSide.SELL, OrderType.MARKET, QUANTITY * 2)
    assert (await node.orders.place(node.user.id, request, "by hand")).status is OrderStatus.DENIED
    assert [order.id for order in await until_resting(node, account, 2)] == [order.id for order in pair]


async def test_a_stop_by_hand_rests_with_the_protection_of_what_it_leaves(node: TradingNode) -> None:
    account, _ = await opened(node, BracketRequest(TWO, THREE))
    first, _profit = await until_resting(node, account, 2)
    part = Decimal("0.004")
    request = OrderRequest(
        account.id, BTC, OrderSide.SELL, OrderType.STOP, part, stop_price=cents(node.feed.price / 2), reduce_only=True
    )
    assert (await node.orders.place(node.user.id, request, "by hand")).status is OrderStatus.OPEN

    def is_smaller(now: Sequence[Order]) -> bool:
        return [order.quantity for order in resting(now)] == [first.quantity - part] * 2

    await until_orders(node, account, is_smaller, "the rest rests")


async def test_what_the_venue_refuses_is_kept_by_the_engine_with_an_alert_if_it_was_to_rest(
    node: TradingNode, exchange: SandboxProcess
) -> None:
    await allow_stops(exchange, 0)
    try:
        account, _ = await opened(node, BracketRequest(TWO, THREE, ProtectAt.VENUE))

        async def alerts() -> list[str]:
            return [message for message in await node.alerts() if "can't rest" in message]

        (message,) = await read_until(alerts, lambda now: len(now) == 1, "it is told")
        assert "as many open orders" in message
        await node.feed.trade(cents(node.feed.price * Decimal("0.9")))
        found = await until_flat(node, account)
        assert {order.status for order in found} == {OrderStatus.REJECTED, OrderStatus.FILLED}
    finally:
        await allow_stops(exchange, 5)


async def test_more_fills_of_the_entry_are_protected_too(node: TradingNode, exchange: SandboxProcess) -> None:
    account, _ = await opened(node)
    held = await position(node, account)
    assert held is not None
    rules = ProtectionRules(stop_loss=ExitLevel(percent=Decimal(20)))
    await node.protection_service.protect(node.user.id, PositionProtectRequest(held.id, rules))
    (first,) = await until_resting(node, account, 1)
    await buy(node, account, key="more")

    def has_grown(now: Sequence[Order]) -> bool:
        return [order.quantity > first.quantity for order in resting(now)] == [True]

    found = await until_orders(node, account, has_grown, "it has grown")
    assert found[-1].replaces_id is not None
