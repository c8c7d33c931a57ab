"""An order that is made smaller keeps its place, its id and its filters."""

from typing import Any

import pytest

from infra.sandbox.errors import ExchangeError
from infra.sandbox.orders import Side
from infra.sandbox.state.store import Account
from tests.support.exchange import InMemoryExchange, units
from tests.unit.sandbox.test_order_lists import OTOCO, SELL_OCO

AMEND = "order/amend/keepPriority"


@pytest.fixture
def small() -> InMemoryExchange:
    return InMemoryExchange()


@pytest.fixture
def ann(small: InMemoryExchange) -> Account:
    account = small.account("ann", USDT=300_000, BTC=2)
    small.place(account, Side.BUY, 2, 59_000, client_id="old")
    return account


def amend(small: InMemoryExchange, account: Account, quantity: object, **params: object) -> Any:
    return small.ask(account, "PUT", AMEND, **{"origClientOrderId": "old", "newQty": quantity} | params)


def test_the_answer_and_the_event_name_both_ids(small: InMemoryExchange, ann: Account) -> None:
    small.drain_events()
    answer = amend(small, ann, 1, newClientOrderId="new")
    amended = answer["amendedOrder"]
    assert (amended["origClientOrderId"], amended["clientOrderId"], amended["qty"]) == ("old", "new", "1.00000000")
    assert amended["status"] == "NEW"
    assert "listStatus" not in answer
    event = small.drain_events()[0]
    assert (event["x"], event["C"], event["c"], event["q"]) == ("REPLACED", "old", "new", "1.00000000")
    assert small.exchange.ledger.balance(ann.uid, "USDT").locked == units(59_000)
    small.check_invariants([ann])


def test_it_keeps_its_place_in_the_queue(small: InMemoryExchange, ann: Account) -> None:
    bob = small.account("bob", USDT=300_000)
    small.place(bob, Side.BUY, 1, 59_000)
    amend(small, ann, 1, newClientOrderId="old")
    small.take_liquidity(Side.SELL, 1, 59_000)
    assert small.ask(ann, "GET", "order", origClientOrderId="old")["status"] == "FILLED"
    assert small.exchange.open_orders(bob.uid)[0].executed == 0
    small.check_invariants([ann, bob])


def test_amendments_are_listed_and_limited(small: InMemoryExchange, ann: Account) -> None:
    for tenths in range(19, 9, -1):
        amend(small, ann, tenths / 10, newClientOrderId="old")
    with pytest.raises(ExchangeError, match="MAX_NUM_ORDER_AMENDS") as caught:
        amend(small, ann, "0.5", newClientOrderId="old")
    assert caught.value.code == -2038
    number = small.exchange.open_orders(ann.uid)[0].id
    listed = small.ask(ann, "GET", "order/amendments", orderId=number)
    assert [(row["origQty"], row["newQty"]) for row in listed][:2] == [
        ("2.00000000", "1.90000000"), ("1.90000000", "1.80000000"),
    ]  # fmt: skip
    assert len(small.ask(ann, "GET", "order/amendments", orderId=number, fromExecutionId=listed[7]["executionId"])) == 3


@pytest.mark.parametrize(
    ("quantity", "code", "message"),
    [
        ("2", -2038, "would change no state"),
        ("3", -2038, "quantity increase"),
        ("0.25", -2038, "below what has traded"),
        ("0", -1013, "Invalid quantity"),
        ("1.000001", -1013, "LOT_SIZE"),
        ("", -1102, "newQty"),
        ("-1", -1100, "newQty"),
    ],
)
def test_what_cant_be_amended_stays_as_it_is(
    small: InMemoryExchange, ann: Account, quantity: str, code: int, message: str
) -> None:
    small.take_liquidity(Side.SELL, "0.5", 59_000)
    with pytest.raises(ExchangeError, match=message) as caught:
        amend(small, ann, quantity)
    assert caught.value.code == code
    assert small.ask(ann, "GET", "order", origClientOrderId="old")["origQty"] == "2.00000000"


def test_an_unknown_or_ended_order_and_a_used_id_are_refused(small: InMemoryExchange, ann: Account) -> None:
    small.place(ann, Side.BUY, 1, 50_000, client_id="used")
    for params in ({"origClientOrderId": "nobody's"}, {"newClientOrderId": "used"}):
        with pytest.raises(ExchangeError):
            amend(small, ann, 1, **params)
    small.ask(ann, "DELETE", "order", origClientOrderId="old")
    with pytest.raises(ExchangeError, match="Unknown order sent"):
        amend(small, ann, 1)


def test_both_orders_of_a_pair_become_smaller(small: InMemoryExchange, ann: Account) -> None:
    small.ask(ann, "POST", "orderList/oco", **SELL_OCO | {"quantity": "2"})
    small.drain_events()
    answer = amend(small, ann, 1, origClientOrderId="stop")
    assert answer["listStatus"]["listOrderStatus"] == "EXECUTING"
    assert {order["origQty"] for order in small.ask(ann, "GET", "openOrders") if order["side"] == "SELL"} == {
        "1.00000000"
    }
    assert small.exchange.ledger.balance(ann.uid, "BTC").locked == units(1)
    events = small.drain_events()
    assert [event["l"] for event in events if event["e"] == "listStatus"] == ["UPDATED"]
    small.check_invariants([ann])
    small.take_liquidity(Side.BUY, 5, 61_000)
    small.check_invariants([ann])


def test_a_pending_order_is_amended_without_touching_funds(small: InMemoryExchange, ann: Account) -> None:
    small.ask(ann, "POST", "orderList/otoco", **OTOCO)
    answer = amend(small, ann, "0.5", origClientOrderId="limit", newClientOrderId="limit")
    assert (answer["amendedOrder"]["status"], answer["amendedOrder"]["qty"]) == ("PENDING_NEW", "0.50000000")
    assert small.ask(ann, "GET", "order", origClientOrderId="stop")["origQty"] == "0.50000000"
    small.check_invariants([ann])


def test_an_iceberg_loses_what_it_hides_first(small: InMemoryExchange, ann: Account) -> None:
    small.ask(
        ann, "POST", "order", type="LIMIT", side="SELL", timeInForce="GTC", quantity=2, icebergQty="0.5", price=61_000,
        newClientOrderId="berg",
    )  # fmt: skip
    amend(small, ann, 1, origClientOrderId="berg", newClientOrderId="berg")
    assert small.market.book.asks.top(1) == [(units(61_000), units("0.5"))]
    amend(small, ann, "0.25", origClientOrderId="berg")
    assert small.market.book.asks.top(1) == [(units(61_000), units("0.25"))]
    small.check_invariants([ann])
