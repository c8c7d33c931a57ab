"""A cancel-replace has four outcomes, each reported as Binance does."""

from typing import Any

import pytest

from infra.sandbox.errors import ExchangeError
from infra.sandbox.orders import OrderType, Side
from infra.sandbox.state.store import Account
from tests.support.exchange import BTC, InMemoryExchange, units

NEW: dict[str, object] = {
    "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1", "price": "50100",
    "newClientOrderId": "new", "cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrigClientOrderId": "old",
}  # fmt: skip
TAKES = {"type": "LIMIT_MAKER", "timeInForce": None, "price": "60001"}
"""An order that is refused: it would match at once."""


@pytest.fixture
def small() -> InMemoryExchange:
    exchange = InMemoryExchange()
    exchange.set_liquidity(Side.BUY, 59_999, 50)
    exchange.set_liquidity(Side.SELL, 60_001, 50)
    return exchange


@pytest.fixture
def ann(small: InMemoryExchange) -> Account:
    account = small.account("ann", USDT=70_000)
    small.place(account, Side.BUY, 1, 50_000, client_id="old")
    small.drain_events()
    return account


def failure(small: InMemoryExchange, account: Account, **changed: object) -> tuple[int, int, Any]:
    """Return code, HTTP status and data of a replacement that failed."""
    with pytest.raises(ExchangeError) as caught:
        small.ask(account, "POST", "order/cancelReplace", **NEW | changed)
    return caught.value.code, caught.value.status, caught.value.content().get("data")


def open_ids(small: InMemoryExchange, account: Account) -> list[str]:
    return [order.client_id for order in small.exchange.open_orders(account.uid)]


def test_both_halves_succeed_with_the_funds_of_the_old_order(small: InMemoryExchange, ann: Account) -> None:
    answer = small.ask(ann, "POST", "order/cancelReplace", **NEW | {"cancelNewClientOrderId": "gone"})
    assert (answer["cancelResult"], answer["newOrderResult"]) == ("SUCCESS", "SUCCESS")
    assert (answer["cancelResponse"]["status"], answer["cancelResponse"]["clientOrderId"]) == ("CANCELED", "gone")
    assert (answer["newOrderResponse"]["status"], answer["newOrderResponse"]["fills"]) == ("NEW", [])
    assert open_ids(small, ann) == ["new"]
    assert small.exchange.ledger.balance(ann.uid, "USDT").locked == units(50_100)


def test_the_new_order_may_keep_the_client_id(small: InMemoryExchange, ann: Account) -> None:
    small.ask(ann, "POST", "order/cancelReplace", **NEW | {"newClientOrderId": "old"})
    assert open_ids(small, ann) == ["old"]


@pytest.mark.parametrize("mode", ["STOP_ON_FAILURE", "ALLOW_FAILURE"])
def test_a_new_order_that_is_refused_leaves_neither(small: InMemoryExchange, ann: Account, mode: str) -> None:
    code, status, data = failure(small, ann, cancelReplaceMode=mode, **TAKES)
    assert (code, status) == (-2021, 409)
    assert (data["cancelResult"], data["newOrderResult"]) == ("SUCCESS", "FAILURE")
    assert data["newOrderResponse"] == {"code": -2010, "msg": "Order would immediately match and take."}
    assert open_ids(small, ann) == []
    rejected = [event for event in small.drain_events() if event.get("x") == "REJECTED"]
    assert [(event["c"], event["r"]) for event in rejected] == [("new", "WOULD_MATCH_IMMEDIATELY")]
    small.check_invariants([ann])


def test_a_failed_cancel_stops_the_replacement(small: InMemoryExchange, ann: Account) -> None:
    code, status, data = failure(small, ann, cancelOrigClientOrderId="nobody's")
    assert (code, status) == (-2022, 400)
    assert data == {
        "cancelResult": "FAILURE",
        "newOrderResult": "NOT_ATTEMPTED",
        "cancelResponse": {"code": -2011, "msg": "Unknown order sent."},
        "newOrderResponse": None,
    }
    assert open_ids(small, ann) == ["old"]


def test_a_failed_cancel_that_is_allowed_leaves_both(small: InMemoryExchange, ann: Account) -> None:
    code, status, data = failure(
        small, ann, cancelOrigClientOrderId="nobody's", cancelReplaceMode="ALLOW_FAILURE", quantity="0.1"
    )
    assert (code, status) == (-2021, 409)
    assert (data["cancelResult"], data["newOrderResult"]) == ("FAILURE", "SUCCESS")
    assert data["newOrderResponse"]["clientOrderId"] == "new"
    assert open_ids(small, ann) == ["old", "new"]


def test_both_halves_fail(small: InMemoryExchange, ann: Account) -> None:
    code, status, data = failure(
        small, ann, cancelOrigClientOrderId="nobody's", cancelReplaceMode="ALLOW_FAILURE", **TAKES
    )
    assert (code, status) == (-2022, 400)
    assert (data["cancelResult"], data["newOrderResult"]) == ("FAILURE", "FAILURE")
    assert open_ids(small, ann) == ["old"]


def test_a_filter_is_checked_before_anything_is_cancelled(small: InMemoryExchange, ann: Account) -> None:
    code, status, data = failure(small, ann, price="50100.001")
    assert (code, status, data) == (-1013, 400, None)
    assert open_ids(small, ann) == ["old"]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"cancelReplaceMode": None}, -1102),
        ({"cancelReplaceMode": "PERHAPS"}, -1130),
        ({"cancelOrigClientOrderId": None}, -1102),
        ({"cancelRestrictions": "ONLY_OLD"}, -1145),
        ({"cancelOrderId": "x"}, -1100),
    ],
)
def test_a_request_that_cant_be_read_does_nothing(
    small: InMemoryExchange, ann: Account, changed: dict[str, object], code: int
) -> None:
    assert failure(small, ann, **changed)[0] == code
    assert open_ids(small, ann) == ["old"]


def test_an_order_is_cancelled_only_in_the_status_that_was_asked_for(small: InMemoryExchange, ann: Account) -> None:
    _, _, data = failure(small, ann, cancelRestrictions="ONLY_PARTIALLY_FILLED")
    assert data["cancelResponse"] == {"code": -2011, "msg": "Order was not canceled due to cancel restrictions."}
    with pytest.raises(ExchangeError, match="cancel restrictions"):
        small.ask(ann, "DELETE", "order", origClientOrderId="old", cancelRestrictions="ONLY_PARTIALLY_FILLED")
    assert small.ask(ann, "DELETE", "order", origClientOrderId="old", cancelRestrictions="ONLY_NEW")


def test_an_order_id_and_a_client_id_must_belong_together(small: InMemoryExchange, ann: Account) -> None:
    number = small.exchange.open_orders(ann.uid)[0].id
    with pytest.raises(ExchangeError) as caught:
        small.ask(ann, "DELETE", "order", orderId=number, origClientOrderId="another")
    assert caught.value.code == -2039
    assert small.ask(ann, "DELETE", "order", orderId=number, origClientOrderId="old")


def test_replacing_an_order_of_a_list_cancels_the_list(small: InMemoryExchange) -> None:
    bob = small.account("bob", BTC=1, USDT=100_000)
    small.ask(
        bob, "POST", "orderList/oco", side="SELL", quantity=1, aboveType="LIMIT_MAKER", abovePrice=61_000,
        aboveClientOrderId="old", belowType="STOP_LOSS", belowStopPrice=59_000,
    )  # fmt: skip
    answer = small.ask(bob, "POST", "order/cancelReplace", **NEW)
    assert answer["cancelResponse"]["listOrderStatus"] == "ALL_DONE"
    assert open_ids(small, bob) == ["new"]


def test_a_market_order_may_replace(small: InMemoryExchange, ann: Account) -> None:
    changed = {"type": OrderType.MARKET, "timeInForce": None, "price": None}
    answer = small.ask(ann, "POST", "order/cancelReplace", **NEW | changed)
    assert answer["newOrderResponse"]["status"] == "FILLED"
    assert small.exchange.find_order(ann.uid, BTC, None, "old") is not None
    small.check_invariants([ann])
