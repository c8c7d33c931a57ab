"""Binance's answers to `order/cancelReplace`, in the form in which its documentation shows them."""

import asyncio
import json
from typing import Any

import pytest

from domain.model.orders import OrderStatus, OrderType, RejectCode
from domain.ports.execution_client import VenueRefused
from infra.venues.ccxt.cancel_replace import canceling_params, half_done_answer, replacement_report
from infra.venues.ccxt.client import exchange_class
from infra.venues.ccxt.conversion import CcxtValue
from infra.venues.config import VenueSettings
from tests.support.orders import D, an_order

OLD, NEW = an_order(client_order_id="r3-old"), an_order(client_order_id="r3-new", price=D(101))


def order_json(client_id: str, status: str, **changes: object) -> dict[str, object]:
    return {
        "symbol": "BTCUSDT",
        "orderId": 10,
        "orderListId": -1,
        "clientOrderId": client_id,
        "transactTime": 1684804350068,
        "price": "101.00000000",
        "origQty": "1.00000000",
        "executedQty": "0.00000000",
        "origQuoteOrderQty": "0.000000",
        "cummulativeQuoteQty": "0.00000000",
        "status": status,
        "timeInForce": "GTC",
        "type": "LIMIT",
        "side": "BUY",
        **changes,
    }


CANCELED = order_json("made-by-the-cancel", "CANCELED", origClientOrderId="r3-old", orderId=9, price="100.00000000")


@pytest.fixture(scope="module")
def exchange() -> CcxtValue:
    made = asyncio.run(exchange_class(VenueSettings("sandbox", "binance", None, live=False)))({"number": str})
    market = {"id": "BTCUSDT", "symbol": "BTC/USDT", "base": "BTC", "quote": "USDT", "spot": True, "type": "spot"}
    made.set_markets([made.safe_market_structure(market)])
    return made


def test_the_cancel_names_our_id_and_spares_an_order_that_has_filled_anything() -> None:
    params = canceling_params(OLD)
    assert params["cancelOrigClientOrderId"] == "r3-old"
    assert (params["cancelReplaceMode"], params["cancelRestrictions"]) == ("STOP_ON_FAILURE", "ONLY_NEW")


def test_both_orders_are_read_with_our_ids(exchange: CcxtValue) -> None:
    answer = {
        "cancelResult": "SUCCESS",
        "newOrderResult": "SUCCESS",
        "cancelResponse": CANCELED,
        "newOrderResponse": order_json("r3-new", "NEW", fills=[]),
    }
    report = replacement_report(exchange, answer, OLD, NEW)
    assert (report.canceled.client_order_id, report.canceled.status) == ("r3-old", OrderStatus.CANCELED)
    assert report.placed is not None
    assert (report.placed.client_order_id, report.placed.status) == ("r3-new", OrderStatus.OPEN)
    assert (report.placed.venue_order_id, report.placed.price, report.placed.type) == ("10", D(101), OrderType.LIMIT)


def failed(code: int, cancel: str, new: str, cancel_response: object, new_response: object) -> Exception:
    body: dict[str, Any] = {
        "code": code,
        "msg": "Order cancel-replace partially failed.",
        "data": {
            "cancelResult": cancel,
            "newOrderResult": new,
            "cancelResponse": cancel_response,
            "newOrderResponse": new_response,
        },
    }
    return RuntimeError(f"binance {json.dumps(body)}")


def test_an_order_that_is_refused_after_the_cancel_is_a_refusal_with_the_cancelled_order(
    exchange: CcxtValue,
) -> None:
    message = {"code": -2010, "msg": "Account has insufficient balance for requested action."}
    answer = half_done_answer(failed(-2021, "SUCCESS", "FAILURE", CANCELED, message))
    assert answer is not None
    report = replacement_report(exchange, answer, OLD, NEW)
    assert (report.canceled.status, report.placed) == (OrderStatus.CANCELED, None)
    assert report.refusal is not None
    assert (report.refusal.code, "insufficient balance" in report.refusal.reason) == (
        RejectCode.INSUFFICIENT_BALANCE,
        True,
    )


@pytest.mark.parametrize("message", ["Unknown order sent.", "Order was not canceled due to cancel restrictions."])
def test_a_failed_cancel_means_that_nothing_was_done(exchange: CcxtValue, message: str) -> None:
    refusal = {"code": -2011, "msg": message}
    answer = half_done_answer(failed(-2022, "FAILURE", "NOT_ATTEMPTED", refusal, None))
    assert answer is not None
    with pytest.raises(VenueRefused, match=message):
        replacement_report(exchange, answer, OLD, NEW)


@pytest.mark.parametrize(
    "text",
    [
        "binance no answer in time",
        'binance {"code":-1013,"msg":"Filter failure: LOT_SIZE"}',
        'binance {"code":-2021,"msg":"Order cancel-replace partially failed."}',
        "binance {not json",
        'binance {"code":-2021,"data":[]}',
    ],
)
def test_any_other_error_stays_one(text: str) -> None:
    assert half_done_answer(RuntimeError(text)) is None
