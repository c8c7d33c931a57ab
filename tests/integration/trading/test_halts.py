"""Halts: no new orders at once, open ones cancelled, until somebody resumes."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from domain.core.errors import ErrorCode, Forbidden, InputError
from domain.model.events import UserEventKind
from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderStatus, OrderType
from domain.model.trading import Account
from domain.model.trading_state import Halt, HaltLevel, TradingState
from domain.model.users import ApiScope, Identity, User, UserRole
from domain.rules.order_request import OrderRequest
from domain.trading.halts import HaltRequest
from tests.support.trading import BTC
from tests.support.trading_node import TradingNode, cents
from tests.support.waiting import read_until


def acting_as(user: User, role: UserRole) -> Identity:
    """Return the user signed in, in a role."""
    return Identity(replace(user, role=role), user.id, frozenset(ApiScope), None, is_login_session=True)


async def rest(node: TradingNode, account: Account, key: str) -> Order:
    """Place an order that rests."""
    price = cents(node.feed.price * Decimal("0.97"))
    request = OrderRequest(account.id, BTC, OrderSide.BUY, OrderType.LIMIT, Decimal("0.01"), price=price)
    return await node.orders.place(node.user.id, request, key)


async def buy(node: TradingNode, account: Account, key: str, side: OrderSide = OrderSide.BUY) -> Order:
    return await node.orders.place(
        node.user.id, OrderRequest(account.id, BTC, side, OrderType.MARKET, Decimal("0.01")), key
    )


async def test_a_halted_account_denies_orders_and_cancels_those_that_rest(node: TradingNode) -> None:
    account = await node.account()
    resting = await rest(node, account, "rests")
    assert resting.status is OrderStatus.OPEN
    halted = await node.halts.set_halt_of_account(node.user.id, account.id, HaltRequest(reason="enough"))
    assert halted.trading_state is TradingState.HALTED
    await node.until_status(resting, OrderStatus.CANCELED)
    denied = await buy(node, account, "denied")
    assert [denial.code.value for denial in denied.denials] == ["TRADING_HALTED"]
    await node.halts.set_halt_of_account(node.user.id, account.id, None)
    assert (await buy(node, account, "again")).status is OrderStatus.FILLED


async def test_a_halt_may_keep_the_orders_that_rest(node: TradingNode) -> None:
    account = await node.account()
    resting = await rest(node, account, "rests")
    await node.halts.set_halt_of_account(node.user.id, account.id, HaltRequest(cancel_orders=False))
    assert (await node.order(resting.id)).cancel_requested_at is None


async def test_reducing_lets_a_position_be_closed_and_no_other_be_opened(node: TradingNode) -> None:
    account = await node.account()
    await buy(node, account, "in")
    await node.halts.set_halt_of_account(node.user.id, account.id, HaltRequest(reduce_only=True))
    denied = await buy(node, account, "more")
    assert "REDUCE_ONLY" in [denial.code.value for denial in denied.denials]


async def test_a_user_halts_themself_on_all_accounts(node: TradingNode) -> None:
    accounts = [await node.account(), await node.account()]
    resting = [await rest(node, account, str(account.id)) for account in accounts]
    halted = await node.halts.set_halt_of_user(acting_as(node.user, UserRole.USER), node.user.id, HaltRequest())
    assert halted.trading_state is TradingState.HALTED
    for order in resting:
        await node.until_status(order, OrderStatus.CANCELED)
    denied = await buy(node, accounts[0], "denied")
    assert [denial.code.value for denial in denied.denials] == ["TRADING_HALTED"]


async def test_an_operator_alone_halts_the_engine(node: TradingNode) -> None:
    account = await node.account()
    operator = acting_as(node.user, UserRole.OPERATOR)
    with pytest.raises(Forbidden):
        await node.halts.set_halt_of_engine(acting_as(node.user, UserRole.USER), HaltRequest())
    resting = await rest(node, account, "rests")
    await node.halts.set_halt_of_engine(operator, HaltRequest())
    await node.until_status(resting, OrderStatus.CANCELED)
    assert (await buy(node, account, "denied")).status is OrderStatus.DENIED
    await node.halts.set_halt_of_engine(operator, None)
    assert (await buy(node, account, "again")).status is OrderStatus.FILLED


PLACERS = 12
ROUNDS = 3


async def test_no_order_is_active_under_a_halt_of_the_engine_however_busy_the_accounts_are(node: TradingNode) -> None:
    accounts = [await node.account() for _ in range(PLACERS)]
    operator = acting_as(node.user, UserRole.OPERATOR)
    await buy(node, accounts[0], "warm")
    for number in range(ROUNDS):
        halted = asyncio.Event()

        async def place_until_halted(account: Account, number: int, halted: asyncio.Event) -> None:
            orders = 0
            while not halted.is_set() or orders < number + 2:
                orders += 1
                await rest(node, account, f"{account.id}:{number}:{orders}")

        async with asyncio.TaskGroup() as group:
            for account in accounts:
                group.create_task(place_until_halted(account, number, halted))
            await eventually_resting(node, accounts)
            await node.halts.set_halt_of_engine(operator, HaltRequest())
            halted.set()
        for account in accounts:
            await until_nothing_is_active(node, account)
        await node.halts.set_halt_of_engine(operator, None)


async def active_orders(node: TradingNode, account: Account) -> list[Order]:
    async with node.database.read_only() as reading:
        return await reading.orders.list_active(account.id)


async def eventually_resting(node: TradingNode, accounts: list[Account]) -> None:
    """Wait until the accounts have begun to have orders at the venue."""
    await read_until(lambda: active_orders(node, accounts[-1]), bool, "orders rest")


async def until_nothing_is_active(node: TradingNode, account: Account) -> None:
    await read_until(lambda: active_orders(node, account), lambda orders: not orders, "no order is active")


async def test_a_resting_stop_survives_a_halt_that_lets_positions_be_reduced(node: TradingNode) -> None:
    account = await node.account()
    await buy(node, account, "in")
    stop = OrderRequest(
        account.id, BTC, OrderSide.SELL, OrderType.STOP, Decimal("0.005"),
        stop_price=cents(node.feed.price * Decimal("0.95")), reduce_only=True,
    )  # fmt: skip
    protecting = await node.orders.place(node.user.id, stop, "stop")
    resting = await rest(node, account, "rests")
    await node.halts.set_halt_of_account(node.user.id, account.id, HaltRequest(reduce_only=True))
    await node.until_status(resting, OrderStatus.CANCELED)
    assert (await node.order(protecting.id)).status is OrderStatus.OPEN


async def test_a_user_cannot_end_the_halt_of_an_operator(node: TradingNode) -> None:
    user, operator = acting_as(node.user, UserRole.USER), acting_as(await node.another_user(), UserRole.OPERATOR)
    async with node.database.transaction() as transaction:
        await transaction.users.set_role(operator.user.email, UserRole.OPERATOR)
    await node.halts.set_halt_of_user(operator, node.user.id, HaltRequest(reason="unpaid"))
    with pytest.raises(InputError, match="operator") as refused:
        await node.halts.set_halt_of_user(user, node.user.id, None)
    assert refused.value.code is ErrorCode.CONFLICT
    halted = await node.halts.set_halt_of_user(user, node.user.id, HaltRequest(reduce_only=True))
    assert halted.trading_state is TradingState.HALTED
    assert (await node.halts.set_halt_of_user(user, node.user.id, None)).trading_state is TradingState.HALTED
    assert (await node.halts.set_halt_of_user(operator, node.user.id, None)).trading_state is TradingState.ACTIVE


async def test_everybody_whom_a_halt_stops_gets_an_event_of_it_and_of_its_end(node: TradingNode) -> None:
    await node.account()
    operator = acting_as(node.user, UserRole.OPERATOR)
    await node.halts.set_halt_of_engine(operator, HaltRequest(reason="maintenance"))
    await node.halts.set_halt_of_engine(operator, None)
    async with node.database.read_only() as reading:
        events = await reading.events.read_after(node.user.id, 0, None, 100)
    halts = [(event.message, event.subject) for event in events if event.kind is UserEventKind.HALT]
    assert [message for message, _ in halts] == ["HALTED", "ACTIVE"]
    made, ended = (subject for _, subject in halts)
    assert isinstance(made, Halt)
    assert isinstance(ended, Halt)
    assert (made.level, made.reason, made.ended_at) == (HaltLevel.ENGINE, "maintenance", None)
    assert replace(ended, ended_at=None) == made
    assert ended.ended_at is not None
