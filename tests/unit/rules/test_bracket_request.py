from decimal import Decimal

import pytest

from domain.core.errors import ErrorCode
from domain.model.order_side import OrderSide
from domain.model.orders import OrderType
from domain.model.protection import ExitLevel, ProtectAt
from domain.rules.bracket_request import BracketRequest, validate_bracket, validate_trail
from domain.rules.order_request import OrderRequest
from tests.support.orders import BTC, D, a_market, an_order

ASK = D("100.01")


def request(**changes: object) -> OrderRequest:
    given: dict[str, object] = {"side": OrderSide.BUY, "type": OrderType.MARKET, **changes}
    return OrderRequest(an_order().account_id, BTC, quantity=D(1), **given)  # type: ignore[arg-type]


def errors(bracket: BracketRequest, ask: Decimal | None = ASK, **changes: object) -> list[tuple[str, ErrorCode]]:
    found = validate_bracket(request(**changes), bracket, a_market(), ask, None)
    return [((error.path or ("",))[-1], error.code) for error in found]


def stop(price: object = None, percent: object = None) -> BracketRequest:
    return BracketRequest(stop_loss=level(price, percent))


def profit(price: object = None, percent: object = None) -> BracketRequest:
    return BracketRequest(take_profit=level(price, percent))


def level(price: object, percent: object) -> ExitLevel:
    return ExitLevel(
        price=None if price is None else D(str(price)), percent=None if percent is None else D(str(percent))
    )


@pytest.mark.parametrize(
    ("bracket", "changes"),
    [
        (stop(price=90), {}),
        (stop(percent=2), {}),
        (profit(price=110), {}),
        (profit(percent=250), {}),
        (BracketRequest(level(90, None), level(None, 5), ProtectAt.ENGINE), {}),
        (stop(price=55), {"type": OrderType.LIMIT, "price": D(60)}),
        (profit(price=70), {"type": OrderType.LIMIT, "price": D(60)}),
        (profit(price=130), {"type": OrderType.STOP, "stop_price": D(120)}),
    ],
)
def test_a_bracket_around_the_entry_has_no_errors(bracket: BracketRequest, changes: dict[str, object]) -> None:
    assert errors(bracket, **changes) == []


@pytest.mark.parametrize(
    ("bracket", "field"),
    [
        (stop(price=0), "stopLoss"),
        (stop(price=-1), "stopLoss"),
        (stop(price="90.001"), "stopLoss"),
        (stop(price="100.01"), "stopLoss"),
        (stop(price=120), "stopLoss"),
        (stop(percent=0), "stopLoss"),
        (stop(percent=100), "stopLoss"),
        (profit(price="100.01"), "takeProfit"),
        (profit(price=90), "takeProfit"),
        (profit(percent=-3), "takeProfit"),
    ],
)
def test_a_level_that_would_act_at_once_or_never_is_invalid(bracket: BracketRequest, field: str) -> None:
    assert errors(bracket) == [(field, ErrorCode.INVALID)]


def test_all_errors_are_named_at_once() -> None:
    both = BracketRequest(level(120, None), level(90, None))
    assert errors(both) == [("stopLoss", ErrorCode.INVALID), ("takeProfit", ErrorCode.INVALID)]


def test_without_a_price_of_the_entry_only_the_level_itself_is_judged() -> None:
    assert errors(stop(price=120), ask=None) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"side": OrderSide.SELL}, ErrorCode.UNSUPPORTED),
        ({"reduce_only": True}, ErrorCode.INVALID),
        ({"type": OrderType.TRAILING_STOP}, ErrorCode.UNSUPPORTED),
    ],
)
def test_only_an_order_that_opens_a_position_is_protected(changes: dict[str, object], code: ErrorCode) -> None:
    assert errors(stop(percent=2), **changes) == [("stopLoss", code)]


@pytest.mark.parametrize("trail", [ExitLevel(percent=D("0.5")), ExitLevel(absolute=D(500)), None])
def test_a_distance_of_either_kind_is_taken(trail: ExitLevel | None) -> None:
    assert validate_trail(OrderType.TRAILING_STOP, trail) == []


def test_a_distance_below_the_price_is_taken() -> None:
    assert validate_trail(OrderType.TRAILING_STOP, ExitLevel(absolute=D("99.99")), best=D(100)) == []


@pytest.mark.parametrize(
    ("type_", "trail"),
    [
        (OrderType.TRAILING_STOP, ExitLevel(percent=D(0))),
        (OrderType.TRAILING_STOP, ExitLevel(percent=D(100))),
        (OrderType.TRAILING_STOP, ExitLevel(absolute=D(-1))),
        (OrderType.TRAILING_STOP, ExitLevel(absolute=D(100))),
        (OrderType.MARKET, ExitLevel(percent=D(1))),
    ],
)
def test_a_distance_that_makes_no_sense_is_invalid(type_: OrderType, trail: ExitLevel) -> None:
    (error,) = validate_trail(type_, trail, best=D(100))
    assert (error.code, error.path) == (ErrorCode.INVALID, ("input", "trailing"))
