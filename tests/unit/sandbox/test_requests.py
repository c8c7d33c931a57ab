import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.sandbox.api.order_params import read_order
from infra.sandbox.api.params import Params
from infra.sandbox.api.rate_limits import ORDERS_IN_TEN_SECONDS, WEIGHT_A_MINUTE, RateLimits
from infra.sandbox.api.signing import check_signature, rest_payload
from infra.sandbox.errors import ExchangeError
from infra.sandbox.fixed_point import format_units, parse_units
from infra.sandbox.state.store import Account

ACCOUNT = Account(100, "ann", "key", "secret", 0)
NOW_MS = 1_790_000_000_000
LIMIT = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=60000"

STOP = "symbol=BTCUSDT&side=SELL&type=STOP_LOSS&quantity=1"


def signed(query: str) -> str:
    return f"{query}&signature={hmac.digest(b'secret', query.encode(), 'sha256').hex()}"


def refusal(query: str) -> ExchangeError:
    with pytest.raises(ExchangeError) as caught:
        read_order(Params.of_query(query))
    return caught.value


@given(st.integers(0, 10**28 - 1))
def test_amounts_survive_writing_and_reading(units: int) -> None:
    assert parse_units(format_units(units)) == units


@pytest.mark.parametrize("text", ["", ".5", "1e5", "-1", "+1", "1.000000001", "NaN", "1,5", "٣", "1" * 21])
def test_what_is_no_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="decimal"):
        parse_units(text)


@pytest.mark.parametrize(
    ("changed", "code", "message"),
    [
        (LIMIT.replace("&price=60000", ""), -1102, "'price' was not sent"),
        (LIMIT.replace("&timeInForce=GTC", ""), -1102, "'timeInForce'"),
        (LIMIT.replace("side=BUY", "side=HOLD"), -1117, "Invalid side."),
        (LIMIT.replace("type=LIMIT", "type=OCO"), -1116, "Invalid orderType."),
        (LIMIT.replace("GTC", "GTD"), -1115, "Invalid timeInForce."),
        (LIMIT.replace("quantity=1", "quantity=-1"), -1100, "Illegal characters found in parameter 'quantity'"),
        (LIMIT.replace("quantity=1", "quantity=1e400"), -1100, "Illegal characters"),
        (LIMIT.replace("quantity=1", "quantity=0.000000001"), -1111, "too much precision"),
        (LIMIT.replace("price=60000", "price=0"), -1013, "Invalid price."),
        (LIMIT + "&stopPrice=5", -1106, "'stopPrice' sent when not required"),
        (LIMIT + "&newClientOrderId=" + "a" * 37, -1100, "newClientOrderId"),
        (LIMIT + "&icebergQty=2", -2010, "IcebergQty exceeds QTY."),
        (LIMIT.replace("GTC", "IOC") + "&icebergQty=1", -1014, "Unsupported order combination."),
        ("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&icebergQty=1", -1106, "'icebergQty'"),
        (LIMIT + "&trailingDelta=100", -1106, "'trailingDelta' sent when not required"),
        (STOP, -1102, "Param 'stopPrice' or 'trailingDelta' must be sent"),
        (STOP + "&trailingDelta=0", -1013, "Filter failure: TRAILING_DELTA"),
        (STOP + "&trailingDelta=1.5", -1100, "Illegal characters found in parameter 'trailingDelta'"),
        (LIMIT + "&strategyType=5", -1134, "strategyType was less than 1000000."),
        ("symbol=BTCUSDT&side=BUY&type=MARKET", -1102, "'quantity'"),
        ("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&price=5", -1106, "'price'"),
    ],
)
def test_an_order_that_cannot_be_read_is_refused_as_binance_does(changed: str, code: int, message: str) -> None:
    error = refusal(changed)
    assert error.code == code
    assert message in error.message


def check(query: str, now_ms: int = NOW_MS) -> None:
    check_signature(ACCOUNT, rest_payload(query, ""), Params.of_query(query), now_ms)


def test_a_signature_holds_for_what_was_signed_alone() -> None:
    query = signed(f"symbol=BTCUSDT&timestamp={NOW_MS}")
    check(query)
    with pytest.raises(ExchangeError, match="Signature") as caught:
        check(query.replace("BTC", "ETH"))
    assert caught.value.code == -1022


@pytest.mark.parametrize(("sent_ms", "window"), [(NOW_MS + 1000, 5000), (NOW_MS - 5001, 5000), (NOW_MS - 11, 10)])
def test_a_request_of_another_time_is_refused(sent_ms: int, window: int) -> None:
    with pytest.raises(ExchangeError) as caught:
        check(signed(f"timestamp={sent_ms}&recvWindow={window}"))
    assert caught.value.code == -1021


def test_weight_over_the_limit_is_refused_and_at_length_banned() -> None:
    limits = RateLimits(unlimited=False)
    assert limits.use_weight("here", WEIGHT_A_MINUTE, 60.0) == WEIGHT_A_MINUTE
    limits.use_weight("elsewhere", 1, 60.0)
    statuses = []
    for _ in range(25):
        with pytest.raises(ExchangeError) as caught:
            limits.use_weight("here", 1, 61.0)
        statuses.append(caught.value.status)
        assert caught.value.retry_after_seconds
    assert statuses[0] == 429
    assert statuses[-1] == 418
    limits.use_weight("here", 1, 300.0)


def test_orders_are_limited_by_account_and_ten_seconds() -> None:
    limits = RateLimits(unlimited=False)
    for _ in range(ORDERS_IN_TEN_SECONDS):
        limits.use_order(100, 20.0)
    with pytest.raises(ExchangeError, match="Too many new orders") as caught:
        limits.use_order(100, 20.5)
    assert (caught.value.code, caught.value.status) == (-1015, 429)
    limits.use_order(101, 20.5)
    limits.use_order(100, 30.0)
