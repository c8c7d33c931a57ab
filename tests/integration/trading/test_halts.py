"""Halts: no new orders at once, open ones cancelled, until somebody resumes."""

from dataclasses import replace
from decimal import Decimal

import pytest

from domain.core.errors import Forbidden
from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderStatus, OrderType
from domain.model.trading import Account
from domain.model.trading_state import TradingState
from domain.model.users import ApiScope, Identity, User, UserRole
from domain.rules.order_request import OrderRequest
from domain.trading.halts import HaltRequest
from tests.support.trading import BTC
from tests.support.trading_node import TradingNode, cents


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
