"""For any sequence of requests, money is conserved and price-time priority holds."""

from contextlib import suppress
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from infra.sandbox.errors import ExchangeError
from infra.sandbox.orders import Fill, Order, OrderType, SelfTrade, Side, TimeInForce
from infra.sandbox.state.store import Account
from tests.support.exchange import BTC, InMemoryExchange, units

CENTS = st.integers(5_990_000, 6_010_000)
LOTS = st.integers(10, 150_000)


class Attempt(NamedTuple):
    """An order to be tried; prices in cents, quantities in lots."""

    who: int
    side: Side
    kind: OrderType
    time_in_force: TimeInForce
    price: int
    lots: int
    stop: int
    by_cost: bool
    self_trade: SelfTrade


class SetLiquidity(NamedTuple):
    """A change of the external liquidity."""

    side: Side
    price: int
    lots: int


class Taker(NamedTuple):
    """An anonymous taker."""

    side: Side
    price: int
    lots: int


class Cancel(NamedTuple):
    """A cancel of one of the open orders."""

    who: int
    which: int


ORDERS = st.builds(
    Attempt, st.integers(0, 2), st.sampled_from(Side), st.sampled_from(OrderType), st.sampled_from(TimeInForce),
    CENTS, LOTS, CENTS, st.booleans(), st.sampled_from(SelfTrade),
)  # fmt: skip
STEPS = st.one_of(
    ORDERS,
    ORDERS,
    st.builds(SetLiquidity, st.sampled_from(Side), CENTS, st.integers(0, 200_000)),
    st.builds(Taker, st.sampled_from(Side), CENTS, LOTS),
    st.builds(Cancel, st.integers(0, 2), st.integers(0, 5)),
)


def price_of(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def quantity_of(lots: int) -> str:
    return f"{lots // 100_000}.{lots % 100_000:05d}"


def try_step(small: InMemoryExchange, accounts: list[Account], step: object) -> None:
    match step:
        case Attempt():
            has_price = step.kind in {OrderType.LIMIT, OrderType.LIMIT_MAKER} or "LIMIT" in step.kind
            stop = price_of(step.stop) if "STOP" in step.kind or "PROFIT" in step.kind else 0
            by_cost = step.by_cost and step.kind is OrderType.MARKET
            small.place(
                accounts[step.who], step.side, 0 if by_cost else quantity_of(step.lots),
                price_of(step.price) if has_price else 0, step.kind,
                time_in_force=step.time_in_force if has_price else TimeInForce.GTC, stop=stop,
                cost=price_of(step.lots) if by_cost else 0, self_trade=step.self_trade,
            )  # fmt: skip
        case SetLiquidity():
            if not small.market.book.crosses(step.side, units(price_of(step.price))):
                small.set_liquidity(step.side, price_of(step.price), quantity_of(step.lots))
        case Taker():
            small.take_liquidity(step.side, quantity_of(step.lots), price_of(step.price))
        case Cancel():
            mine = small.exchange.open_orders(accounts[step.who].uid)
            if mine:
                small.exchange.cancel(accounts[step.who], BTC, mine[step.which % len(mine)], "x")


def check_order(order: Order, fills: list[Fill]) -> None:
    assert sum(fill.quantity for fill in fills) == order.executed
    assert sum(fill.quote for fill in fills) == order.quote_executed
    if order.quote_quantity:
        assert order.quote_executed <= order.quote_quantity
    else:
        assert order.executed <= order.quantity
    for fill in fills:
        if order.has_price:
            assert fill.price <= order.price if order.side is Side.BUY else fill.price >= order.price
    assert order.is_open or order.locked == 0


@settings(max_examples=100, deadline=None)
@given(steps=st.lists(STEPS, min_size=12, max_size=40))
def test_no_sequence_of_orders_makes_or_loses_money(steps: list[object]) -> None:
    small = InMemoryExchange()
    accounts = [small.account(name, USDT=1_000_000, BTC=20) for name in ("ann", "bob", "cyd")]
    for lots, distance in ((50_000, 1), (120_000, 3), (90_000, 40)):
        small.set_liquidity(Side.BUY, price_of(6_000_000 - distance * 10), quantity_of(lots))
        small.set_liquidity(Side.SELL, price_of(6_000_000 + distance * 10), quantity_of(lots))
    for step in steps:
        with suppress(ExchangeError):
            try_step(small, accounts, step)
        small.check_invariants(accounts)
    for account in accounts:
        for order in small.exchange.store.orders(account.uid, BTC, 0, 0, 0, 1000):
            found = small.exchange.store.fills(
                account.uid, BTC, order_id=order.id, from_id=None, start=0, end=1 << 62, limit=1000
            )
            check_order(order, found)
