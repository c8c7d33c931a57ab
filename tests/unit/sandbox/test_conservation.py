"""For any sequence of requests, money is conserved and price-time priority holds."""

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from infra.sandbox.errors import ExchangeError
from infra.sandbox.matching.amending import amend
from infra.sandbox.orders import Fill, Order, OrderType, SelfTrade, Side, TimeInForce
from infra.sandbox.state.store import Account, Store
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
    iceberg: int
    trailing: int


class ListAttempt(NamedTuple):
    """A list to be tried: an OCO, or an OTO or OTOCO whose working order comes first."""

    who: int
    side: Side
    path: str
    prices: tuple[int, int, int, int]
    lots: int


class Amend(NamedTuple):
    """A reduction of one of the open orders."""

    who: int
    which: int
    lots: int


class Replace(NamedTuple):
    """A cancel of one of the open orders, and another in its place."""

    who: int
    which: int
    side: Side
    price: int
    lots: int
    mode: str


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
    CENTS, LOTS, CENTS, st.booleans(), st.sampled_from(SelfTrade), st.sampled_from((0, 0, 5_000)),
    st.sampled_from((0, 0, 10)),
)  # fmt: skip
LISTS = st.builds(
    ListAttempt, st.integers(0, 2), st.sampled_from(Side), st.sampled_from(("oco", "oto", "otoco")),
    st.tuples(CENTS, CENTS, CENTS, CENTS), LOTS,
)  # fmt: skip
STEPS = st.one_of(
    ORDERS,
    ORDERS,
    LISTS,
    LISTS,
    st.builds(Amend, st.integers(0, 2), st.integers(0, 5), LOTS),
    st.builds(
        Replace, st.integers(0, 2), st.integers(0, 5), st.sampled_from(Side), CENTS, LOTS,
        st.sampled_from(("STOP_ON_FAILURE", "ALLOW_FAILURE")),
    ),
    st.builds(SetLiquidity, st.sampled_from(Side), CENTS, st.integers(0, 200_000)),
    st.builds(Taker, st.sampled_from(Side), CENTS, LOTS),
    st.builds(Cancel, st.integers(0, 2), st.integers(0, 5)),
)  # fmt: skip


def price_of(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def quantity_of(lots: int) -> str:
    return f"{lots // 100_000}.{lots % 100_000:05d}"


def list_params(step: ListAttempt) -> dict[str, object]:
    """Return the parameters of a list whose prices are sorted, so that it is accepted often."""
    low, middle, high, above = (price_of(cents) for cents in sorted(step.prices))
    quantity, buys = quantity_of(step.lots), step.side is Side.BUY
    prefix = "pending" if step.path == "otoco" else ""
    names = [f"{prefix}{leg}" if prefix else leg.lower() for leg in ("Above", "Below")]
    stop, limit = names if buys else reversed(names)
    pair: dict[str, object] = {
        f"{limit}Type": "LIMIT_MAKER", f"{limit}Price": low if buys else high,
        f"{stop}Type": "STOP_LOSS_LIMIT", f"{stop}StopPrice": high if buys else low,
        f"{stop}Price": above if buys else low, f"{stop}TimeInForce": "GTC",
    }  # fmt: skip
    working: dict[str, object] = {
        "workingType": "LIMIT", "workingSide": step.side.other, "workingPrice": middle, "workingQuantity": quantity,
        "workingTimeInForce": "GTC", "pendingSide": step.side, "pendingQuantity": quantity,
    }  # fmt: skip
    if step.path == "oco":
        return pair | {"side": step.side, "quantity": quantity}
    return working | (pair if step.path == "otoco" else {"pendingType": "MARKET"})


def try_step(small: InMemoryExchange, accounts: list[Account], step: object) -> None:
    match step:
        case Attempt():
            has_price = step.kind in {OrderType.LIMIT, OrderType.LIMIT_MAKER} or "LIMIT" in step.kind
            stop = price_of(step.stop) if "STOP" in step.kind or "PROFIT" in step.kind else 0
            by_cost = step.by_cost and step.kind is OrderType.MARKET
            trailing = step.trailing if stop else 0
            small.place(
                accounts[step.who], step.side, 0 if by_cost else quantity_of(step.lots),
                price_of(step.price) if has_price else 0, step.kind,
                time_in_force=step.time_in_force if has_price else TimeInForce.GTC, stop=0 if trailing else stop,
                cost=price_of(step.lots) if by_cost else 0, self_trade=step.self_trade,
                iceberg=quantity_of(min(step.lots, step.iceberg)) if has_price else 0, trailing=trailing,
            )  # fmt: skip
        case ListAttempt():
            small.ask(accounts[step.who], "POST", f"orderList/{step.path}", **list_params(step))
        case SetLiquidity():
            if not small.market.book.crosses(step.side, units(price_of(step.price))):
                small.set_liquidity(step.side, price_of(step.price), quantity_of(step.lots))
        case Taker():
            small.take_liquidity(step.side, quantity_of(step.lots), price_of(step.price))
        case Cancel() | Amend() | Replace():
            mine = small.exchange.open_orders(accounts[step.who].uid)
            if mine:
                change_order(small, accounts[step.who], mine[step.which % len(mine)], step)


def change_order(small: InMemoryExchange, account: Account, order: Order, step: Cancel | Amend | Replace) -> None:
    match step:
        case Cancel():
            small.exchange.cancel(account, BTC, order, "x")
        case Amend():
            amend(small.exchange, account, order, units(quantity_of(step.lots)), order.client_id)
        case Replace():
            small.ask(
                account, "POST", "order/cancelReplace", cancelReplaceMode=step.mode, cancelOrderId=order.id,
                side=step.side, type="LIMIT", timeInForce="GTC", price=price_of(step.price),
                quantity=quantity_of(step.lots),
            )  # fmt: skip


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


def check_lists(small: InMemoryExchange, accounts: list[Account]) -> None:
    """Assert that of a pair at most one order has traded or triggered, and that what can't go on has ended."""
    for account in accounts:
        for opened in small.exchange.lists.open_lists(account.uid):
            assert any(order.is_open for order in opened.orders)
            rest = opened.rest if len(opened.rest) > 1 else []
            decided = [order for order in rest if order.executed or (order.is_open and order.working_ms >= 0
                       and order.type is not OrderType.LIMIT_MAKER)]  # fmt: skip
            assert len(decided) <= 1
            assert not decided or sum(order.is_open for order in rest) <= 1


def filled_exchange(store: Store | None = None) -> tuple[InMemoryExchange, list[Account]]:
    """Return an exchange with some liquidity around 60,000 and three accounts."""
    small = InMemoryExchange(store)
    accounts = [small.account(name, USDT=1_000_000, BTC=20) for name in ("ann", "bob", "cyd")]
    for lots, distance in ((50_000, 1), (120_000, 3), (90_000, 40)):
        small.set_liquidity(Side.BUY, price_of(6_000_000 - distance * 10), quantity_of(lots))
        small.set_liquidity(Side.SELL, price_of(6_000_000 + distance * 10), quantity_of(lots))
    return small, accounts


@settings(max_examples=100, deadline=None)
@given(steps=st.lists(STEPS, min_size=12, max_size=40))
def test_no_sequence_of_orders_makes_or_loses_money(steps: list[object]) -> None:
    small, accounts = filled_exchange()
    for step in steps:
        with suppress(ExchangeError):
            try_step(small, accounts, step)
        small.check_invariants(accounts)
        check_lists(small, accounts)
    for account in accounts:
        for order in small.exchange.store.orders(account.uid, BTC, 0, 0, 0, 1000):
            found = small.exchange.store.fills(
                account.uid, BTC, order_id=order.id, from_id=None, start=0, end=1 << 62, limit=1000
            )
            check_order(order, found)


def shown_state(small: InMemoryExchange, accounts: list[Account]) -> object:
    """Return all that accounts see of their orders, lists and balances, and what the book shows of their orders."""
    paths = ("openOrders", "openOrderList", "allOrders", "allOrderList", "myTrades")
    seen = [[small.ask(account, "GET", path) for path in paths] for account in accounts]
    balances = [small.ask(account, "GET", "account")["balances"] for account in accounts]
    waiting = [order.id for order in small.market.stops.orders]
    return seen, balances, sorted(waiting)


@settings(max_examples=15, deadline=None)
@given(steps=st.lists(STEPS, min_size=8, max_size=30))
def test_a_restart_changes_nothing_that_accounts_see(steps: list[object]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "state"
        small, accounts = filled_exchange(Store(path))
        for step in steps:
            with suppress(ExchangeError):
                try_step(small, accounts, step)
        before, deposited = shown_state(small, accounts), small.deposited
        small.exchange.save_markets()
        small.exchange.store.close()
        again = InMemoryExchange(Store(path))
        again.exchange.restore_orders()
        again.deposited = deposited
        again.check_invariants(accounts)
        assert shown_state(again, accounts) == before
        again.exchange.store.close()
