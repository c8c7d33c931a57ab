"""Lists of orders: OCO, OTO and OTOCO end, start and pay as Binance's do."""

from pathlib import Path
from typing import Any

import pytest

from infra.sandbox.errors import ExchangeError
from infra.sandbox.orders import Side
from infra.sandbox.state.store import Account, Store
from tests.support.exchange import BTC, InMemoryExchange, units

SELL_OCO: dict[str, object] = {
    "side": "SELL", "quantity": "1", "aboveType": "LIMIT_MAKER", "abovePrice": "61000", "aboveClientOrderId": "limit",
    "belowType": "STOP_LOSS", "belowStopPrice": "59000", "belowClientOrderId": "stop", "listClientOrderId": "pair",
}  # fmt: skip
BUY_OCO: dict[str, object] = {
    "side": "BUY", "quantity": "1", "belowType": "LIMIT_MAKER", "belowPrice": "59000", "belowClientOrderId": "limit",
    "aboveType": "STOP_LOSS_LIMIT", "aboveStopPrice": "61000", "abovePrice": "61100", "aboveTimeInForce": "GTC",
    "aboveClientOrderId": "stop", "listClientOrderId": "pair",
}  # fmt: skip
OTO: dict[str, object] = {
    "workingType": "LIMIT", "workingSide": "BUY", "workingPrice": "59000", "workingQuantity": "1",
    "workingTimeInForce": "GTC", "workingClientOrderId": "entry", "pendingType": "MARKET", "pendingSide": "SELL",
    "pendingQuantity": "0.5", "pendingClientOrderId": "exit", "listClientOrderId": "chain",
}  # fmt: skip
OTOCO: dict[str, object] = {
    "workingType": "LIMIT", "workingSide": "BUY", "workingPrice": "59500", "workingQuantity": "1",
    "workingTimeInForce": "GTC", "workingClientOrderId": "entry", "pendingSide": "SELL", "pendingQuantity": "0.9",
    "pendingAboveType": "LIMIT_MAKER", "pendingAbovePrice": "61000", "pendingAboveClientOrderId": "limit",
    "pendingBelowType": "STOP_LOSS", "pendingBelowStopPrice": "58000", "pendingBelowClientOrderId": "stop",
    "listClientOrderId": "bracket",
}  # fmt: skip


@pytest.fixture
def small() -> InMemoryExchange:
    exchange = InMemoryExchange()
    exchange.set_liquidity(Side.BUY, 59_999, 50)
    exchange.set_liquidity(Side.SELL, 60_001, 50)
    return exchange


@pytest.fixture
def ann(small: InMemoryExchange) -> Account:
    return small.account("ann", USDT=200_000, BTC=2)


def statuses(small: InMemoryExchange, account: Account) -> dict[str, str]:
    """Return the status of every order by its client id."""
    return {
        order.client_id: str(order.status) for order in small.exchange.store.orders(account.uid, BTC, 0, 0, 0, 1000)
    }


def locked(small: InMemoryExchange, account: Account, asset: str) -> int:
    return small.exchange.ledger.balance(account.uid, asset).locked


def drop_price_to(small: InMemoryExchange, price: int) -> None:
    """Let an anonymous taker sell down to `price`, below which there is plenty."""
    small.set_liquidity(Side.BUY, price, 50)
    small.set_liquidity(Side.BUY, 59_999, 0)
    small.take_liquidity(Side.SELL, "0.001", price)


def list_events(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(event["l"], event["L"]) for event in events if event["e"] == "listStatus"]


def refusal(small: InMemoryExchange, account: Account, path: str, **params: object) -> tuple[int, str]:
    with pytest.raises(ExchangeError) as caught:
        small.ask(account, "POST", path, **params)
    return caught.value.code, caught.value.message


def test_an_oco_is_answered_with_both_orders_the_stop_first(small: InMemoryExchange, ann: Account) -> None:
    answer = small.ask(ann, "POST", "orderList/oco", **SELL_OCO)
    assert answer["contingencyType"] == "OCO"
    assert (answer["listStatusType"], answer["listOrderStatus"]) == ("EXEC_STARTED", "EXECUTING")
    assert answer["listClientOrderId"] == "pair"
    assert [order["clientOrderId"] for order in answer["orders"]] == ["stop", "limit"]
    stop, limit = answer["orderReports"]
    assert (stop["type"], stop["status"], stop["stopPrice"], stop["workingTime"]) == (
        "STOP_LOSS", "NEW", "59000.00000000", -1,
    )  # fmt: skip
    assert limit["workingTime"] > 0
    assert stop["orderListId"] == limit["orderListId"] == answer["orderListId"] > 0


def test_both_orders_of_an_oco_share_their_funds(small: InMemoryExchange, ann: Account) -> None:
    small.ask(ann, "POST", "orderList/oco", **SELL_OCO | {"quantity": "2"})
    assert locked(small, ann, "BTC") == units(2)
    small.check_invariants([ann])


def test_an_oco_that_buys_locks_what_the_dearer_order_may_cost(small: InMemoryExchange, ann: Account) -> None:
    small.ask(ann, "POST", "orderList/oco", **BUY_OCO)
    assert locked(small, ann, "USDT") == units(61_100)
    small.check_invariants([ann])
    poor = small.account("poor", USDT=60_000)
    assert refusal(small, poor, "orderList/oco", **BUY_OCO)[0] == -2010


def test_a_partial_fill_of_the_limit_order_expires_the_stop_at_once(small: InMemoryExchange, ann: Account) -> None:
    small.ask(ann, "POST", "orderList/oco", **BUY_OCO)
    small.drain_events()
    drop_price_to(small, 59_500)
    small.take_liquidity(Side.SELL, 1_000, 59_500)
    small.take_liquidity(Side.SELL, "0.25", 59_000)
    assert statuses(small, ann) == {"stop": "EXPIRED", "limit": "PARTIALLY_FILLED"}
    assert locked(small, ann, "USDT") == units(59_000 * 0.75)
    assert list_events(small.drain_events()) == []
    small.take_liquidity(Side.SELL, 1, 59_000)
    assert statuses(small, ann)["limit"] == "FILLED"
    assert list_events(small.drain_events()) == [("ALL_DONE", "ALL_DONE")]
    small.check_invariants([ann])


def test_a_stop_that_triggers_expires_the_limit_order_in_the_same_tick(small: InMemoryExchange, ann: Account) -> None:
    small.ask(ann, "POST", "orderList/oco", **SELL_OCO)
    small.drain_events()
    drop_price_to(small, 58_900)
    assert statuses(small, ann) == {"stop": "FILLED", "limit": "EXPIRED"}
    events = small.drain_events()
    assert [(event["c"], event["x"]) for event in events if event["e"] == "executionReport"] == [
        ("limit", "EXPIRED"), ("stop", "NEW"), ("stop", "TRADE"),
    ]  # fmt: skip
    triggered = next(event for event in events if event.get("c") == "stop" and event["x"] == "NEW")
    assert (triggered["X"], triggered["W"] > 0) == ("NEW", True)
    assert list_events(events) == [("ALL_DONE", "ALL_DONE")]
    assert locked(small, ann, "BTC") == 0
    small.check_invariants([ann])


@pytest.mark.parametrize("which", ["stop", "limit"])
def test_cancelling_one_order_cancels_its_list(small: InMemoryExchange, ann: Account, which: str) -> None:
    small.ask(ann, "POST", "orderList/oco", **SELL_OCO)
    answer = small.ask(ann, "DELETE", "order", origClientOrderId=which, newClientOrderId="no-more")
    assert (answer["listOrderStatus"], answer["listStatusType"]) == ("ALL_DONE", "ALL_DONE")
    assert {report["status"] for report in answer["orderReports"]} == {"CANCELED"}
    assert {report["clientOrderId"] for report in answer["orderReports"]} == {"no-more"}
    assert [report["origClientOrderId"] for report in answer["orderReports"]] == ["stop", "limit"]
    assert locked(small, ann, "BTC") == 0
    assert small.ask(ann, "GET", "openOrderList") == []


def test_a_list_is_cancelled_queried_and_listed(small: InMemoryExchange, ann: Account) -> None:
    first = small.ask(ann, "POST", "orderList/oco", **SELL_OCO)
    number = first["orderListId"]
    assert small.ask(ann, "GET", "orderList", symbol=None, origClientOrderId="pair")["orderListId"] == number
    assert [found["orderListId"] for found in small.ask(ann, "GET", "openOrderList")] == [number]
    assert small.ask(ann, "DELETE", "orderList", listClientOrderId="pair")["listOrderStatus"] == "ALL_DONE"
    assert small.ask(ann, "GET", "orderList", orderListId=number)["listStatusType"] == "ALL_DONE"
    second = small.ask(ann, "POST", "orderList/oto", **OTO)
    assert [found["orderListId"] for found in small.ask(ann, "GET", "allOrderList")] == [number, second["orderListId"]]
    assert len(small.ask(ann, "GET", "allOrderList", fromId=second["orderListId"])) == 1
    with pytest.raises(ExchangeError, match="Unknown order sent") as caught:
        small.ask(ann, "DELETE", "orderList", orderListId=number)
    assert caught.value.code == -2011
    bob = small.account("bob", BTC=1)
    with pytest.raises(ExchangeError, match="does not exist"):
        small.ask(bob, "GET", "orderList", orderListId=number)


def test_all_open_orders_are_cancelled_with_their_lists_answered_once(small: InMemoryExchange, ann: Account) -> None:
    small.ask(ann, "POST", "orderList/oco", **SELL_OCO)
    small.place(ann, Side.BUY, 1, 50_000)
    answer = small.ask(ann, "DELETE", "openOrders")
    assert [min(part) for part in answer] == ["contingencyType", "clientOrderId"]
    assert small.exchange.open_orders(ann.uid) == []


def test_a_pending_order_starts_once_the_working_order_is_filled(small: InMemoryExchange, ann: Account) -> None:
    answer = small.ask(ann, "POST", "orderList/oto", **OTO)
    assert [report["status"] for report in answer["orderReports"]] == ["NEW", "PENDING_NEW"]
    assert locked(small, ann, "BTC") == 0
    drop_price_to(small, 59_100)
    small.take_liquidity(Side.SELL, 1_000, 59_100)
    small.set_liquidity(Side.BUY, 58_000, 10)
    small.take_liquidity(Side.SELL, "0.5", 59_000)
    assert statuses(small, ann) == {"entry": "PARTIALLY_FILLED", "exit": "PENDING_NEW"}
    small.drain_events()
    small.take_liquidity(Side.SELL, "0.5", 59_000)
    assert statuses(small, ann) == {"entry": "FILLED", "exit": "FILLED"}
    events = [(event["c"], event["x"], event["X"]) for event in small.drain_events() if event["e"] == "executionReport"]
    assert events == [("entry", "TRADE", "FILLED"), ("exit", "NEW", "NEW"), ("exit", "TRADE", "FILLED")]
    small.check_invariants([ann])


def test_a_working_order_that_fills_at_once_shows_its_pending_order_still_pending(
    small: InMemoryExchange, ann: Account
) -> None:
    answer = small.ask(ann, "POST", "orderList/oto", **OTO | {"workingPrice": "60100", "newOrderRespType": "FULL"})
    assert [report["status"] for report in answer["orderReports"]] == ["FILLED", "PENDING_NEW"]
    assert answer["orderReports"][0]["fills"]
    assert statuses(small, ann) == {"entry": "FILLED", "exit": "FILLED"}


def test_a_bracket_protects_its_fill_with_an_oco(small: InMemoryExchange, ann: Account) -> None:
    small.ask(ann, "POST", "orderList/otoco", **OTOCO)
    drop_price_to(small, 59_600)
    small.take_liquidity(Side.SELL, 1_000, 59_600)
    small.take_liquidity(Side.SELL, 1, 59_500)
    assert statuses(small, ann) == {"entry": "FILLED", "stop": "NEW", "limit": "NEW"}
    assert locked(small, ann, "BTC") == units("0.9")
    small.set_liquidity(Side.SELL, 60_001, 0)
    small.take_liquidity(Side.BUY, 1, 61_000)
    assert statuses(small, ann) == {"entry": "FILLED", "stop": "EXPIRED", "limit": "FILLED"}
    small.check_invariants([ann])


@pytest.mark.parametrize(
    ("which", "others"), [("entry", {"CANCELED"}), ("stop", {"CANCELED"}), ("limit", {"CANCELED"})]
)
def test_cancelling_any_order_of_a_bracket_cancels_all(
    small: InMemoryExchange, ann: Account, which: str, others: set[str]
) -> None:
    small.ask(ann, "POST", "orderList/otoco", **OTOCO)
    small.ask(ann, "DELETE", "order", origClientOrderId=which)
    assert set(statuses(small, ann).values()) == others
    assert locked(small, ann, "USDT") == 0


def test_a_working_order_that_expires_takes_its_pending_orders_along(small: InMemoryExchange, ann: Account) -> None:
    answer = small.ask(ann, "POST", "orderList/otoco", **OTOCO | {"workingTimeInForce": "IOC"})
    assert answer["listOrderStatus"] == "ALL_DONE"
    assert set(statuses(small, ann).values()) == {"EXPIRED"}


def test_pending_orders_that_cant_be_placed_when_their_time_comes_are_rejected(
    small: InMemoryExchange, ann: Account
) -> None:
    small.ask(ann, "POST", "orderList/otoco", **OTOCO | {"pendingQuantity": "5"})
    drop_price_to(small, 59_600)
    small.take_liquidity(Side.SELL, 1_000, 59_600)
    small.drain_events()
    small.take_liquidity(Side.SELL, 1, 59_500)
    assert statuses(small, ann) == {"entry": "FILLED", "stop": "REJECTED", "limit": "REJECTED"}
    rejected = [event for event in small.drain_events() if event.get("x") == "REJECTED"]
    assert {event["r"] for event in rejected} == {"INSUFFICIENT_BALANCES"}
    assert small.ask(ann, "GET", "openOrderList") == []
    small.check_invariants([ann])


@pytest.mark.parametrize(
    ("changed", "code", "message"),
    [
        ({"aboveType": "LIMIT"}, -1102, "'aboveTimeInForce'"),
        ({"aboveType": "LIMIT", "aboveTimeInForce": "GTC"}, -1158, "not supported in OCO"),
        ({"belowType": "LIMIT_MAKER", "belowPrice": "59000", "belowStopPrice": None}, -1168, "must be contingent"),
        ({"aboveType": "STOP_LOSS", "aboveStopPrice": "61000", "abovePrice": None}, -1197, "must be below"),
        ({"side": "BUY"}, -1165, "must be below"),
        ({"belowType": "TAKE_PROFIT"}, -1199, "must be above"),
        ({"abovePrice": "59990"}, -2010, "The relationship of the prices"),
        ({"belowStopPrice": "60500"}, -2010, "The relationship of the prices"),
        ({"abovePrice": None}, -1102, "'abovePrice'"),
        ({"belowStopPrice": None}, -1102, "belowStopPrice"),
        ({"quantity": "100"}, -2010, "insufficient balance"),
        ({"quantity": "0.00001"}, -1013, "NOTIONAL"),
        ({"belowClientOrderId": "limit"}, -2010, "Duplicate order sent."),
        ({"newOrderRespType": "SOME"}, -1130, "newOrderRespType"),
        ({"symbol": "NOSUCH"}, -1121, "Invalid symbol."),
    ],
)
def test_a_list_that_cant_be_placed_is_refused_whole(
    small: InMemoryExchange, ann: Account, changed: dict[str, object], code: int, message: str
) -> None:
    refused = refusal(small, ann, "orderList/oco", **SELL_OCO | changed)
    assert refused[0] == code
    assert message in refused[1]
    assert small.exchange.open_orders(ann.uid) == []
    assert locked(small, ann, "BTC") == 0
    assert small.drain_events() == [] or all(event["e"] != "executionReport" for event in small.drain_events())


def test_the_client_id_of_an_open_list_is_refused_and_free_again_later(small: InMemoryExchange, ann: Account) -> None:
    again = SELL_OCO | {"aboveClientOrderId": "b", "belowClientOrderId": "c"}
    small.ask(ann, "POST", "orderList/oco", **SELL_OCO)
    assert refusal(small, ann, "orderList/oco", **again) == (-2010, "Duplicate order sent.")
    small.ask(ann, "DELETE", "orderList", listClientOrderId="pair")
    small.ask(ann, "POST", "orderList/oco", **again)


@pytest.mark.parametrize("limited", [True, False])
def test_the_older_request_places_the_same_pair(small: InMemoryExchange, ann: Account, limited: bool) -> None:
    limit = {"stopLimitPrice": "58900", "stopLimitTimeInForce": "GTC"} if limited else {}
    answer = small.ask(
        ann, "POST", "order/oco", side="SELL", quantity=1, price=61_000, stopPrice=59_000,
        limitClientOrderId="limit", stopClientOrderId="stop", **limit,
    )  # fmt: skip
    stop, other = answer["orderReports"]
    assert (stop["type"], other["type"]) == ("STOP_LOSS_LIMIT" if limited else "STOP_LOSS", "LIMIT_MAKER")
    assert (stop["clientOrderId"], other["clientOrderId"]) == ("stop", "limit")


def test_take_profits_on_both_sides_trigger_alone(small: InMemoryExchange, ann: Account) -> None:
    small.ask(
        ann, "POST", "orderList/oco",
        **SELL_OCO | {"aboveType": "TAKE_PROFIT", "aboveStopPrice": "60500", "abovePrice": None},
    )  # fmt: skip
    small.set_liquidity(Side.SELL, 60_001, 0)
    small.set_liquidity(Side.SELL, 60_600, 5)
    small.take_liquidity(Side.BUY, 1, 60_600)
    assert statuses(small, ann) == {"stop": "EXPIRED", "limit": "FILLED"}
    small.check_invariants([ann])


def shown_state(small: InMemoryExchange, account: Account) -> list[Any]:
    """Return what an account sees: open lists, open orders, and balances."""
    balances = small.ask(account, "GET", "account")["balances"]
    return [small.ask(account, "GET", "openOrderList"), small.ask(account, "GET", "openOrders"), balances]


def test_lists_survive_a_restart(tmp_path: Path) -> None:
    store = Store(tmp_path / "state")
    before = InMemoryExchange(store)
    before.set_liquidity(Side.BUY, 59_999, 50)
    before.set_liquidity(Side.SELL, 60_001, 50)
    ann = before.account("ann", USDT=200_000, BTC=2)
    before.ask(ann, "POST", "orderList/oco", **SELL_OCO)
    renamed = {"pendingAboveClientOrderId": "a", "pendingBelowClientOrderId": "b"}
    before.ask(ann, "POST", "orderList/otoco", **OTOCO | renamed)
    shown = shown_state(before, ann)
    store.close()
    after = InMemoryExchange(Store(tmp_path / "state"))
    after.exchange.restore_orders()
    ann = after.exchange.account_by_name("ann")
    assert ann is not None
    assert shown_state(after, ann) == shown
    after.set_liquidity(Side.BUY, 58_500, 50)
    after.take_liquidity(Side.SELL, "1.001", 58_500)
    assert statuses(after, ann) == {"stop": "FILLED", "limit": "EXPIRED", "entry": "FILLED", "a": "NEW", "b": "NEW"}
