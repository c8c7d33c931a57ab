"""A rejection of a venue: its code for programs, and its explanation for people."""

import json

import ccxt
import pytest

from domain.model.orders import RejectCode
from domain.ports.execution_client import VenueRefused
from infra.venues.ccxt.errors import command_error


def refused(error: Exception) -> VenueRefused:
    refusal = command_error(error, may_have_left=True)
    assert isinstance(refusal, VenueRefused)
    return refusal


def binance(message: str, code: int = -1013) -> Exception:
    return ccxt.InvalidOrder("binance " + json.dumps({"code": code, "msg": message}))


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("Filter failure: PRICE_FILTER", RejectCode.PRICE),
        ("Filter failure: PERCENT_PRICE", RejectCode.PRICE),
        ("Filter failure: PERCENT_PRICE_BY_SIDE", RejectCode.PRICE),
        ("Filter failure: LOT_SIZE", RejectCode.QUANTITY),
        ("Filter failure: MARKET_LOT_SIZE", RejectCode.QUANTITY),
        ("Filter failure: MAX_POSITION", RejectCode.QUANTITY),
        ("Filter failure: MIN_NOTIONAL", RejectCode.NOTIONAL),
        ("Filter failure: NOTIONAL", RejectCode.NOTIONAL),
        ("Filter failure: MAX_NUM_ORDERS", RejectCode.TOO_MANY_ORDERS),
        ("Filter failure: MAX_NUM_ALGO_ORDERS", RejectCode.TOO_MANY_ORDERS),
        ("Filter failure: EXCHANGE_MAX_NUM_ORDERS", RejectCode.TOO_MANY_ORDERS),
        ("Filter failure: TRAILING_DELTA", RejectCode.STOP_PRICE),
        ("Filter failure: SOMETHING_NEW", RejectCode.UNKNOWN),
        ("Account has insufficient balance for requested action.", RejectCode.INSUFFICIENT_BALANCE),
        ("Order would immediately match and take.", RejectCode.WOULD_TAKE),
        ("Stop price would trigger immediately.", RejectCode.STOP_PRICE),
        ("Order would trigger immediately.", RejectCode.STOP_PRICE),
        ("Market is closed.", RejectCode.MARKET_CLOSED),
        ("This action is disabled on this account.", RejectCode.NOT_PERMITTED),
        ("This symbol is not permitted for this account.", RejectCode.NOT_PERMITTED),
        ("Market orders are not supported for this symbol.", RejectCode.UNSUPPORTED),
        ("Unsupported order combination.", RejectCode.UNSUPPORTED),
        ("Price * QTY is zero or less.", RejectCode.QUANTITY),
        ("Something that nobody has seen yet.", RejectCode.UNKNOWN),
    ],
)
def test_a_refusal_of_binance_has_a_code(message: str, code: RejectCode) -> None:
    assert refused(binance(message)).code is code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ccxt.InsufficientFunds("kraken EOrder:Insufficient funds"), RejectCode.INSUFFICIENT_BALANCE),
        (ccxt.OrderImmediatelyFillable("okx 51121"), RejectCode.WOULD_TAKE),
        (ccxt.OrderNotFillable("okx 51020"), RejectCode.NOT_FILLABLE),
        (ccxt.NotSupported("kraken createOrder() does not support it"), RejectCode.UNSUPPORTED),
        (ccxt.MarketClosed("okx 51027"), RejectCode.MARKET_CLOSED),
        (ccxt.BadSymbol("kraken does not have market symbol X/Y"), RejectCode.MARKET_CLOSED),
        (ccxt.PermissionDenied("kraken EGeneral:Permission denied"), RejectCode.NOT_PERMITTED),
        (ccxt.AccountSuspended("okx 50114"), RejectCode.NOT_PERMITTED),
        (ccxt.InvalidNonce("kraken EAPI:Invalid nonce"), RejectCode.CLOCK),
        (ccxt.InvalidOrder("kraken EOrder:Order minimum not met: the order size is too small"), RejectCode.QUANTITY),
        (
            ccxt.InvalidOrder("binance amount of BTC/USDT must be greater than minimum amount precision of 0.001"),
            RejectCode.QUANTITY,
        ),
        (ccxt.InvalidOrder("kraken EOrder:Invalid price"), RejectCode.PRICE),
        (ccxt.InvalidOrder("bybit 110094: does not meet minimum order value"), RejectCode.NOTIONAL),
        (ccxt.InvalidOrder("kraken EOrder:Post only order"), RejectCode.WOULD_TAKE),
        (ccxt.InvalidOrder("kraken EOrder:Open orders limit exceeded"), RejectCode.TOO_MANY_ORDERS),
    ],
)
def test_a_refusal_of_another_venue_has_a_code_by_its_class_or_its_words(error: Exception, code: RejectCode) -> None:
    assert refused(error).code is code


def test_a_filter_is_explained_before_the_venues_own() -> None:
    assert refused(binance("Filter failure: PERCENT_PRICE_BY_SIDE")).reason == (
        "The price is too far from the market's present price for this venue. "
        "The venue's words: Filter failure: PERCENT_PRICE_BY_SIDE (-1013)"
    )


def test_a_sentence_of_the_venue_is_passed_on_unchanged() -> None:
    sentence = "Account has insufficient balance for requested action."
    assert refused(binance(sentence, -2010)).reason == f"{sentence} (-2010)"
