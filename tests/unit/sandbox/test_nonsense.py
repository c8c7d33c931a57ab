"""Whatever a client sends is answered: with a result, or with an error that has a code."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.sandbox.api.endpoints import ROUTES
from infra.sandbox.api.params import Params
from infra.sandbox.api.rate_limits import RateLimits
from infra.sandbox.api.routing import RequestContext
from infra.sandbox.errors import ExchangeError
from infra.sandbox.orders import Side
from infra.sandbox.state.store import Account
from tests.support.exchange import InMemoryExchange

NAMES = (
    "side", "type", "timeInForce", "quantity", "quoteOrderQty", "price", "stopPrice", "trailingDelta", "icebergQty",
    "newClientOrderId", "strategyId", "strategyType", "selfTradePreventionMode", "newOrderRespType", "orderId",
    "origClientOrderId", "cancelReplaceMode", "cancelOrderId", "cancelOrigClientOrderId", "cancelRestrictions",
    "newQty",
    "orderListId", "listClientOrderId", "aboveType", "abovePrice", "aboveStopPrice", "aboveTimeInForce", "belowType",
    "aboveTrailingDelta", "belowPrice", "belowStopPrice", "belowTimeInForce", "workingType", "workingSide",
    "workingPrice", "workingQuantity", "workingTimeInForce", "pendingType", "pendingSide", "pendingQuantity",
    "pendingPrice", "pendingStopPrice", "pendingTrailingDelta", "pendingTimeInForce", "pendingAboveType",
    "pendingAbovePrice", "pendingAboveStopPrice", "pendingAboveTimeInForce", "pendingBelowType", "pendingBelowPrice",
    "pendingBelowStopPrice", "pendingBelowTimeInForce", "stopLimitPrice", "stopLimitTimeInForce", "fromId",
    "fromExecutionId", "preventedMatchId", "fromPreventedMatchId", "startTime", "endTime", "limit", "interval",
    "windowSize", "timeZone", "symbols",
)  # fmt: skip
SENSIBLE = (
    "BUY", "SELL", "LIMIT", "MARKET", "LIMIT_MAKER", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT",
    "GTC", "IOC", "FOK", "STOP_ON_FAILURE", "ALLOW_FAILURE", "ONLY_NEW", "FULL", "ACK", "NONE", "EXPIRE_BOTH", "1M",
    "1s", "1h", "1", "0.5", "59000", "60500", "61000", "58000", "100", "c1",
)  # fmt: skip
NONSENSE = (
    "", "0", "-1", "1e9", "NaN", "0.000000001", "99999999999999999999", "999999999999999999", "9" * 400, "٣", "\x00",
    "null", "true", "[]", "{", '["BTCUSDT","BTCUSDT"]', "a" * 40, "1.", ".1", "🙂", "9223372036854775807", "%00",
    "-12:00", "7d",
)  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(SENSIBLE), st.sampled_from(SENSIBLE), st.sampled_from(NONSENSE), st.text(max_size=12)
)
PAIR = {
    "AboveType": "LIMIT_MAKER", "AbovePrice": "61000", "BelowType": "STOP_LOSS_LIMIT", "BelowStopPrice": "59000",
    "BelowPrice": "58900", "BelowTimeInForce": "GTC",
}  # fmt: skip
ORDER = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01", "price": "59000"}
WORKING = {
    "workingType": "LIMIT", "workingSide": "BUY", "workingPrice": "59500", "workingQuantity": "0.01",
    "workingTimeInForce": "GTC", "pendingSide": "SELL", "pendingQuantity": "0.01",
}  # fmt: skip
ACCEPTED: dict[tuple[str, str], dict[str, str]] = {
    ("POST", "/api/v3/order"): ORDER,
    ("POST", "/api/v3/order/cancelReplace"): ORDER | {"cancelReplaceMode": "ALLOW_FAILURE", "cancelOrderId": "1"},
    ("POST", "/api/v3/orderList/oco"): {name[0].lower() + name[1:]: value for name, value in PAIR.items()}
    | {"side": "SELL", "quantity": "0.01"},
    ("POST", "/api/v3/orderList/oto"): WORKING | {"pendingType": "MARKET"},
    ("POST", "/api/v3/orderList/otoco"): WORKING | {f"pending{name}": value for name, value in PAIR.items()},
    ("POST", "/api/v3/order/oco"): {"side": "SELL", "quantity": "0.01", "price": "61000", "stopPrice": "59000"},
    ("PUT", "/api/v3/order/amend/keepPriority"): {"orderId": "1", "newQty": "0.005"},
    ("GET", "/api/v3/klines"): {"interval": "1s"},
    ("GET", "/api/v3/uiKlines"): {"interval": "1M"},
}
"""Requests that are accepted as they stand, so that what is changed in them is read."""
PARAMS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8)
SYMBOLS = st.sampled_from(("BTCUSDT", "BTCUSDT", "BTCUSDT", "", "NOSUCH"))


@pytest.fixture(scope="module")
def small() -> InMemoryExchange:
    exchange = InMemoryExchange()
    exchange.set_liquidity(Side.BUY, 59_999, 50)
    exchange.set_liquidity(Side.SELL, 60_001, 50)
    return exchange


@pytest.fixture(scope="module")
def ann(small: InMemoryExchange) -> Account:
    return small.account("ann", USDT=1_000_000, BTC=20)


@settings(max_examples=150, deadline=None)
@given(
    route=st.one_of(st.sampled_from(sorted(ACCEPTED)), st.sampled_from(sorted(ROUTES))), params=PARAMS, symbol=SYMBOLS
)
def test_any_parameters_are_answered(
    small: InMemoryExchange, ann: Account, route: tuple[str, str], params: dict[str, str], symbol: str
) -> None:
    sent = Params(ACCEPTED.get(route, {}) | params | {"symbol": symbol})
    endpoint = ROUTES[route]
    assert endpoint.weigh(sent) > 0
    context = RequestContext(small.exchange, sent, RateLimits(unlimited=True), ann)
    try:
        answer, status = endpoint.handler(context), 200
    except ExchangeError as error:
        answer, status = error.content(), error.status
    assert status == 200 or (400 <= status < 500 and answer["code"] < 0)
    json.dumps(answer)
    small.exchange.flush()
    small.check_invariants([ann])
