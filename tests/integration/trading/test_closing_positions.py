"""Positions that users and halts close: one intent each, whatever rests, restarts or is halted meanwhile."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from domain.core.errors import ErrorCode, InputError
from domain.core.money import round_down
from domain.model.order_side import OrderSide
from domain.model.orders import CancelCode, Order, OrderRole, OrderStatus, OrderType
from domain.model.protection import ExitLevel, PositionIntent
from domain.model.trading import Account, Balance, Position
from domain.model.trading_state import ENGINE_ID, Halt, HaltAuthor, HaltLevel, TradingState
from domain.model.users import ApiScope, Identity, UserRole
from domain.rules.order_request import OrderRequest
from domain.trading.close_requests import PositionCloseRequest
from domain.trading.dependencies import TradingTimings
from domain.trading.halts import HaltRequest
from domain.trading.position_closer import PositionCloser
from infra.embedded.bus import EmbeddedBus
from tests.support.postgres import patient_database
from tests.support.trading import BTC
from tests.support.trading_node import TradingNode, cents, strategy
from tests.support.waiting import read_until


async def bought(node: TradingNode, account: Account, key: str = "in", quantity: str = "0.01") -> Position:
    """Buy by hand and return the open position."""
    request = OrderRequest(account.id, BTC, OrderSide.BUY, OrderType.MARKET, Decimal(quantity))
    order = await node.orders.place(node.user.id, request, key)
    assert order.status is OrderStatus.FILLED
    (position,) = await open_positions(node, account)
    return position


async def open_positions(node: TradingNode, account: Account) -> list[Position]:
    async with node.database.read_only() as reading:
        return await reading.positions.list_open(account.id)


async def until_flat(node: TradingNode, account: Account) -> None:
    await read_until(lambda: open_positions(node, account), lambda positions: not positions, "all is closed")


async def close(node: TradingNode, position: Position, key: str = "out", quantity: str | None = None) -> Order:
    request = PositionCloseRequest(position.id, None if quantity is None else Decimal(quantity))
    order = await node.position_service.close(node.user.id, request, key)
    assert order is not None
    return order


async def refusal(
    node: TradingNode, position: Position, key: str = "refused", quantity: str | None = None
) -> InputError:
    with pytest.raises(InputError) as found:
        await close(node, position, key, quantity)
    return found.value


async def test_a_position_by_hand_is_closed_once_however_often_it_is_asked_for(node: TradingNode) -> None:
    account = await node.account()
    position = await bought(node, account)
    order = await close(node, position)
    assert (order.status, order.role, order.side, order.reduce_only) == (
        OrderStatus.FILLED, OrderRole.CLOSE, OrderSide.SELL, True,
    )  # fmt: skip
    await until_flat(node, account)
    assert (await close(node, position)).id == order.id
    assert (await refusal(node, position, "out", "0.001")).code is ErrorCode.CONFLICT
    assert (await refusal(node, position, "again")).code is ErrorCode.CONFLICT


async def test_a_part_of_a_position_is_closed(node: TradingNode) -> None:
    account = await node.account()
    position = await bought(node, account)
    order = await close(node, position, quantity="0.004")
    assert (order.status, order.quantity) == (OrderStatus.FILLED, Decimal("0.004"))
    (left,) = await open_positions(node, account)
    assert left.quantity == position.quantity - Decimal("0.004")
    await close(node, left, "rest")
    await until_flat(node, account)


async def test_a_quantity_that_cannot_be_closed_is_refused_and_leaves_the_key_unused(node: TradingNode) -> None:
    position = await bought(node, await node.account())
    for quantity in ("0", "-0.001", "0.02", "0.0010001", "0.00001"):
        error = await refusal(node, position, quantity=quantity)
        assert (error.code, error.path) == (ErrorCode.INVALID, ("input", "quantity")), quantity
    assert (await close(node, position, "refused")).status is OrderStatus.FILLED


async def test_a_position_of_somebody_else_is_not_there(node: TradingNode) -> None:
    position = await bought(node, await node.account())
    stranger = await node.another_user()
    with pytest.raises(InputError) as found:
        await node.position_service.close(stranger.id, PositionCloseRequest(position.id), "key")
    assert found.value.code is ErrorCode.NOT_FOUND


async def test_a_stop_that_rests_is_cancelled_before_its_position_is_closed(node: TradingNode) -> None:
    account = await node.account()
    position = await bought(node, account)
    stop = OrderRequest(
        account.id, BTC, OrderSide.SELL, OrderType.STOP, Decimal("0.005"),
        stop_price=cents(node.feed.price * Decimal("0.95")), reduce_only=True,
    )  # fmt: skip
    protecting = await node.orders.place(node.user.id, stop, "stop")
    assert protecting.status is OrderStatus.OPEN
    assert (await close(node, position)).status is OrderStatus.FILLED
    assert (await node.order(protecting.id)).status is OrderStatus.CANCELED
    await until_flat(node, account)


@pytest.mark.parametrize("order_type", [OrderType.LIMIT, OrderType.TRAILING_STOP])
async def test_a_reduce_only_order_ends_with_the_position_and_sells_no_other_coins(
    node: TradingNode, order_type: OrderType
) -> None:
    coins = tuple(Balance(name, amount, amount) for name, amount in (("USDT", Decimal(10_000)), ("BTC", Decimal(1))))
    account = await node.account(balances=coins)
    await bought(node, account)
    price = cents(node.feed.price * Decimal("1.1"))
    request = OrderRequest(account.id, BTC, OrderSide.SELL, order_type, Decimal("0.005"), reduce_only=True)
    resting = replace(request, price=price) if order_type is OrderType.LIMIT else replace(request, trailing=True)
    trail = ExitLevel(percent=Decimal(5)) if order_type is OrderType.TRAILING_STOP else None
    order = await node.orders.place(node.user.id, resting, "rests", trail=trail)
    assert order.status is OrderStatus.OPEN
    sale = OrderRequest(account.id, BTC, OrderSide.SELL, OrderType.MARKET, Decimal("0.01"))
    assert (await node.orders.place(node.user.id, sale, "sale")).status is OrderStatus.FILLED
    ended = await read_until(lambda: node.order(order.id), lambda now: now.status.is_final, "it ends")
    assert (ended.status, ended.cancel_code) == (OrderStatus.CANCELED, CancelCode.NO_POSITION)


async def test_a_reduce_only_order_is_lessened_with_the_position(node: TradingNode) -> None:
    position, orders = await resting_orders_after_sale(node, "0.003", "0.004", "0.005")
    (older, newer), (kept, lessened) = orders
    left = round_down(position.quantity, Decimal("0.00001"))
    assert (kept.id, kept.quantity) == (older.id, Decimal("0.004"))
    assert (lessened.replaces_id, lessened.quantity) == (newer.id, left - older.quantity)
    assert lessened.price == newer.price
    assert (await node.order(newer.id)).cancel_code is CancelCode.AMENDED


async def test_the_newest_reduce_only_order_makes_room_before_an_older_one_is_lessened(node: TradingNode) -> None:
    position, orders = await resting_orders_after_sale(node, "0.007", "0.005", "0.004")
    (older, newer), (lessened,) = orders
    left = round_down(position.quantity, Decimal("0.00001"))
    assert (lessened.replaces_id, lessened.quantity) == (older.id, left)
    assert (await node.order(newer.id)).cancel_code is CancelCode.NO_POSITION


async def resting_orders_after_sale(
    node: TradingNode, sold: str, *quantities: str
) -> tuple[Position, tuple[list[Order], list[Order]]]:
    """Sell a part of a position by hand; return what is left, and the reduce-only orders before and in the end."""
    coins = tuple(Balance(name, amount, amount) for name, amount in (("USDT", Decimal(10_000)), ("BTC", Decimal(1))))
    account = await node.account(balances=coins)
    position = await bought(node, account)
    price = cents(node.feed.price * Decimal("1.1"))
    request = OrderRequest(
        account.id, BTC, OrderSide.SELL, OrderType.LIMIT, Decimal("0.004"), price=price, reduce_only=True
    )
    before = [
        await node.orders.place(node.user.id, replace(request, quantity=Decimal(quantity)), quantity)
        for quantity in quantities
    ]
    sale = OrderRequest(account.id, BTC, OrderSide.SELL, OrderType.MARKET, Decimal(sold))
    assert (await node.orders.place(node.user.id, sale, "sale")).status is OrderStatus.FILLED

    async def resting() -> list[Order]:
        async with node.database.read_only() as reading:
            return await reading.orders.list_active(account.id)

    left = position.quantity - sale.quantity
    after = await read_until(
        resting,
        lambda orders: (
            all(order.status is OrderStatus.OPEN for order in orders)
            and sum(order.quantity for order in orders) <= left
        ),
        "they are no more than the position",
    )
    return replace(position, quantity=left), (before, after)


async def test_the_position_of_a_trading_session_is_closed_and_the_session_goes_on(node: TradingNode) -> None:
    session = await node.session(await node.account(), strategy())
    await node.feed.close_candle()
    position = await node.until_position(session, lambda now: now.quantity > 0, "it buys")
    order = await close(node, position)
    assert (order.status, order.trading_session_id) == (OrderStatus.FILLED, session.id)
    await node.until_position(session, lambda now: now.closed_at, "it is closed")
    assert (await node.read(session)).status.value == "RUNNING"


async def test_a_halt_that_closes_positions_leaves_none_and_lets_none_be_opened(node: TradingNode) -> None:
    account = await node.account()
    session = await node.session(account, strategy())
    await node.feed.close_candle()
    await node.until_position(session, lambda now: now.quantity > 0, "it buys")
    request = OrderRequest(account.id, BTC, OrderSide.BUY, OrderType.MARKET, Decimal("0.01"))
    await node.orders.place(node.user.id, request, "by hand")
    assert len(await open_positions(node, account)) == 2
    operator = Identity(
        replace(node.user, role=UserRole.OPERATOR), node.user.id, frozenset(ApiScope), None, is_login_session=True
    )
    await node.halts.set_halt_of_engine(operator, HaltRequest(close_positions=True, reason="enough"))
    await until_flat(node, account)
    denied = await node.orders.place(node.user.id, request, "denied")
    assert [denial.code.value for denial in denied.denials] == ["TRADING_HALTED"]


async def test_a_halt_of_which_the_node_was_not_notified_closes_positions_too(node: TradingNode) -> None:
    await node.trader.close()
    await node.restart(timings=TradingTimings(scan_interval=0.1, rest_interval=3600.0))
    account = await node.account()
    await bought(node, account)
    async with node.database.transaction() as transaction:  # as a halt from elsewhere, which didn't see the fill either
        await transaction.halts.put(
            Halt(
                HaltLevel.ENGINE, ENGINE_ID, TradingState.HALTED, node.clock.now(), HaltAuthor.OPERATOR, None,
                close_positions=True,
            )
        )  # fmt: skip
    await until_flat(node, account)


async def test_an_intent_of_which_the_node_was_not_notified_is_carried_out_at_the_next_poll(node: TradingNode) -> None:
    await node.trader.close()
    await node.restart(timings=TradingTimings(scan_interval=3600.0, rest_interval=0.2))
    account = await node.account()
    await bought(node, account)
    node.database = patient_database(node.pool, EmbeddedBus(), node.clock)  # its notifications reach nobody
    (position,) = await open_positions(node, account)
    await add_failed_close(node, position, failures=0, next_try_in=timedelta(0))
    await until_flat(node, account)


async def add_failed_close(node: TradingNode, position: Position, *, failures: int, next_try_in: timedelta) -> None:
    """Store the intent to close a position as it is after failures."""
    now = node.clock.now()
    intent = PositionIntent(
        id=node.ids.next_id(), user_id=position.user_id, account_id=position.account_id, market=position.market,
        role=OrderRole.CLOSE, reason="The user asked to close it.", since=now, position_id=position.id,
    )  # fmt: skip
    async with node.database.transaction() as transaction:
        assert await transaction.protection.add_intent(intent)
        await transaction.protection.save_intent(intent.changed(failures=failures, next_try_at=now + next_try_in))


async def open_intents(node: TradingNode, account: Account) -> list[PositionIntent]:
    async with node.database.read_only() as reading:
        return list(await reading.protection.list_open_intents(account.id))


@pytest.mark.parametrize("failures", [2, 8])
async def test_the_close_of_a_position_ends_with_it_and_leaves_the_next_one(
    node: TradingNode, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    pause = timedelta(hours=1)  # so that it isn't tried again before the position has ended
    monkeypatch.setattr("domain.trading.exit_retry.retry_delay", lambda _failures: pause)
    account = await node.account()
    first = await bought(node, account)
    await add_failed_close(node, first, failures=failures, next_try_in=pause)
    sale = OrderRequest(account.id, BTC, OrderSide.SELL, OrderType.MARKET, first.quantity)
    assert (await node.orders.place(node.user.id, sale, "by hand")).status is OrderStatus.FILLED
    second = await bought(node, account, "again")
    assert second.id != first.id
    await read_until(lambda: open_intents(node, account), lambda intents: not intents, "the intent ends")
    assert await open_positions(node, account) == [second]


async def test_a_close_goes_on_after_the_clock_was_set_back(node: TradingNode) -> None:
    account = await node.account()
    position = await bought(node, account)
    await add_failed_close(node, position, failures=1, next_try_in=timedelta(hours=1))
    await until_flat(node, account)


async def test_a_refusal_after_an_error_of_the_engines_own_has_an_alert_too(
    node: TradingNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_self: PositionCloser, _intent: PositionIntent) -> None:
        raise ZeroDivisionError

    async def alerted(part: str) -> bool:
        return any(part in alert for alert in await node.alerts())

    account = await node.account()
    position = await bought(node, account)
    await node.list_market(active=False)
    with monkeypatch.context() as patched:
        patched.setattr(PositionCloser, "advance", broken)
        await add_failed_close(node, position, failures=1, next_try_in=timedelta(0))
        await read_until(lambda: alerted("an error of its own"), bool, "the error has an alert")
    await read_until(lambda: alerted("can't be closed"), bool, "the refusal has one")
