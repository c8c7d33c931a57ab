from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from domain.core.errors import ErrorCode
from domain.model.markets import MarketSymbol
from domain.model.order_side import OrderSide
from domain.model.orders import OrderType, TimeInForce
from domain.model.trading import Account, AccountKind
from domain.rules.order_request import OrderRequest, validate_order
from tests.support.orders import BTC, NOW, D, a_market

ACCOUNT = Account(UUID(int=3), UUID(int=2), "paper", AccountKind.PAPER, "sandbox", "USDT", NOW)
MARKET = OrderRequest(ACCOUNT.id, BTC, OrderSide.BUY, OrderType.MARKET, D(1))
LIMIT = replace(MARKET, type=OrderType.LIMIT, price=D(100))
STOP = replace(MARKET, type=OrderType.STOP, stop_price=D(100))
GTD = replace(LIMIT, time_in_force=TimeInForce.GTD, expires_at=NOW + timedelta(seconds=1))


def errors(request: OrderRequest, account: Account | None = ACCOUNT) -> list[tuple[str, ErrorCode]]:
    market = a_market() if request.market.symbol == "BTC/USDT" else None
    found = validate_order(request, account, market, NOW)
    assert all(error.path is not None and error.path[0] == "input" for error in found)
    return [((error.path or ())[1], error.code) for error in found]


@pytest.mark.parametrize("request_", [MARKET, LIMIT, STOP, GTD, replace(LIMIT, post_only=True)])
def test_a_request_that_makes_sense_has_no_errors(request_: OrderRequest) -> None:
    assert errors(request_) == []


@pytest.mark.parametrize(
    ("request_", "field", "code"),
    [
        (replace(MARKET, quantity=D(0)), "quantity", ErrorCode.INVALID),
        (replace(MARKET, quantity=D(-1)), "quantity", ErrorCode.INVALID),
        (replace(MARKET, price=D(1)), "price", ErrorCode.INVALID),
        (replace(LIMIT, price=None), "price", ErrorCode.INVALID),
        (replace(LIMIT, price=D(0)), "price", ErrorCode.INVALID),
        (replace(LIMIT, stop_price=D(1)), "stopPrice", ErrorCode.INVALID),
        (replace(STOP, stop_price=None), "stopPrice", ErrorCode.INVALID),
        (replace(STOP, stop_price=D(-1)), "stopPrice", ErrorCode.INVALID),
        (replace(MARKET, market=MarketSymbol("sandbox", "NO/SUCH")), "market", ErrorCode.NOT_FOUND),
        (replace(MARKET, market=MarketSymbol("binance", "BTC/USDT")), "market", ErrorCode.INVALID),
        (replace(MARKET, time_in_force=TimeInForce.IOC), "timeInForce", ErrorCode.INVALID),
        (replace(LIMIT, post_only=True, time_in_force=TimeInForce.FOK), "timeInForce", ErrorCode.INVALID),
        (replace(LIMIT, time_in_force=TimeInForce.GTD), "expiresAt", ErrorCode.INVALID),
        (replace(GTD, expires_at=NOW), "expiresAt", ErrorCode.INVALID),
        (replace(GTD, expires_at=datetime.max.replace(tzinfo=UTC)), "expiresAt", ErrorCode.INVALID),
        (replace(LIMIT, expires_at=NOW + timedelta(seconds=1)), "expiresAt", ErrorCode.INVALID),
        (replace(MARKET, post_only=True), "postOnly", ErrorCode.UNSUPPORTED),
        (replace(MARKET, type=OrderType.TRAILING_STOP), "trailing", ErrorCode.INVALID),
        (
            replace(MARKET, type=OrderType.TRAILING_STOP, trailing=True, stop_price=D(90)),
            "stopPrice",
            ErrorCode.INVALID,
        ),
    ],
)
def test_an_invalid_field_is_reported_with_its_path(request_: OrderRequest, field: str, code: ErrorCode) -> None:
    assert errors(request_) == [(field, code)]


def test_all_errors_are_reported_at_once() -> None:
    request = replace(LIMIT, quantity=D(0), price=None, time_in_force=TimeInForce.GTD)
    assert [field for field, _ in errors(request)] == ["quantity", "price", "expiresAt"]


@pytest.mark.parametrize(
    ("account", "code"), [(None, ErrorCode.NOT_FOUND), (replace(ACCOUNT, archived_at=NOW), ErrorCode.CONFLICT)]
)
def test_the_account_must_be_there_and_in_use(account: Account | None, code: ErrorCode) -> None:
    assert errors(MARKET, account) == [("account", code)]


def test_the_same_numbers_written_differently_are_the_same_request() -> None:
    one = replace(LIMIT, quantity=Decimal("0.10"), price=Decimal("1E+2")).normalised()
    other = replace(LIMIT, quantity=Decimal("0.1"), price=Decimal("100.00")).normalised()
    assert repr(one) == repr(other)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [(MARKET, None), (STOP, None), (LIMIT, TimeInForce.GTC), (GTD, TimeInForce.GTD)],
)
def test_an_order_with_a_limit_is_gtc_unless_given_otherwise(
    request_: OrderRequest, expected: TimeInForce | None
) -> None:
    assert request_.effective_time_in_force is expected
