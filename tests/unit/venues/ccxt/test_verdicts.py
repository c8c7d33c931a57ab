"""What each venue's codes mean for an order, by the answers that the real classes of ccxt are given."""

import asyncio
import functools
import json
from collections.abc import Mapping
from typing import Any

import pytest

from domain.model.orders import RejectCode
from domain.ports.execution_client import CredentialsRejected, OutcomeUnknown, VenueRefused
from domain.ports.market_data import RequestRejected, VenueUnreachable
from infra.clock import SystemClock
from infra.venues.ccxt.client import exchange_class, new_exchange
from infra.venues.ccxt.clock import VenueClock
from infra.venues.ccxt.conversion import CcxtValue
from infra.venues.ccxt.errors import command_error, is_clock_error, is_order_not_found, query_error
from infra.venues.config import VenueSettings
from infra.venues.rate_limit.rate_limiter import RateLimiter

Body = Mapping[str, Any]


def binance(code: int, message: str = "") -> Body:
    return {"code": code, "msg": message}


def kraken(error: str) -> Body:
    return {"error": [error]}


def okx(code: str, message: str = "", *, row: bool = True) -> Body:
    if not row:
        return {"code": code, "msg": message, "data": []}
    return {"code": "1", "msg": "All operations failed", "data": [{"sCode": code, "sMsg": message, "ordId": ""}]}


def bybit(code: int, message: str = "") -> Body:
    return {"retCode": code, "retMsg": message, "result": {}}


def coinbase(reason: str, message: str = "") -> Body:
    return {"success": False, "error_response": {"error": reason, "message": message}}


REFUSED = [
    ("binance", binance(-2010, "Account has insufficient balance for requested action.")),
    ("binance", binance(-1015, "Too many new orders; current limit is 50 orders per TEN_SECOND.")),
    ("binance", binance(-2015, "Invalid API-key, IP, or permissions for action.")),
    ("kraken", kraken("EOrder:Insufficient funds (insufficient user funds)")),
    ("kraken", kraken("EOrder:Cost minimum not met")),
    ("kraken", kraken("EOrder:Post only order")),
    ("kraken", kraken("EOrder:Orders limit exceeded")),
    ("kraken", kraken("EOrder:Rate limit exceeded")),
    ("kraken", kraken("EGeneral:Invalid arguments:cl_ord_id")),
    ("kraken", kraken("EService:Market in cancel_only mode")),
    ("kraken", kraken("EService:Market in limit_only mode")),
    ("kraken", kraken("EAPI:Invalid signature")),
    ("kraken", kraken("EAccount:Invalid permissions:BTC trading restricted")),
    ("okx", okx("51008", "Order failed. Insufficient USDT balance in account")),
    ("okx", okx("51000", "Parameter clOrdId error")),
    ("okx", okx("51121", "Order quantity must be a multiple of the lot size.")),
    ("okx", okx("50119", "API key doesn't exist", row=False)),
    ("bybit", bybit(170131, "Insufficient balance.")),
    ("bybit", bybit(170810, "Cannot exceed maximum of 500 conditional, TP/SL and active orders.")),
    ("bybit", bybit(10003, "API key is invalid.")),
    ("coinbase", coinbase("INSUFFICIENT_FUND", "Insufficient balance in source account")),
    ("coinbase", coinbase("INVALID_LIMIT_PRICE_POST_ONLY")),
    ("coinbase", coinbase("UNSUPPORTED_ORDER_CONFIGURATION", "source is not enabled for trading")),
]
UNKNOWN = [
    ("binance", binance(-1006, "An unexpected response was received from the message bus.")),
    ("binance", binance(-1007, "Timeout waiting for response from backend server.")),
    ("binance", binance(-2010, "Duplicate order sent.")),
    ("kraken", kraken("EService:Timeout")),
    ("kraken", kraken("EService:Deadline elapsed")),
    ("kraken", kraken("EService:Unavailable")),
    ("kraken", kraken("EGeneral:Internal error")),
    ("kraken", kraken("EOrder:Duplicate cl_ord_id")),
    ("okx", okx("50004", "API endpoint request timeout", row=False)),
    ("okx", okx("51149", "Order timed out. Please try again later.")),
    ("okx", okx("51016", "Client order ID already exists.")),
    ("bybit", bybit(170146, "Order creation timeout")),
    ("bybit", bybit(170147, "Order cancellation timeout")),
    ("bybit", bybit(170141, "Duplicate clientOrderId")),
    ("bybit", bybit(10016, "Internal server error.")),
    ("coinbase", coinbase("UNKNOWN_FAILURE_REASON")),
]
TIMES = [
    ("binance", binance(-1021, "Timestamp for this request is outside of the recvWindow.")),
    ("kraken", kraken("EAPI:Invalid nonce")),
    ("okx", okx("50102", "Timestamp request expired", row=False)),
    ("bybit", bybit(10002, "invalid request, please check your server timestamp or recv_window param")),
]
TOO_MANY = [
    ("binance", binance(-1003, "Way too many requests; IP banned."), 200),
    ("binance", binance(0, ""), 429),
    ("kraken", kraken("EAPI:Rate limit exceeded"), 200),
    ("kraken", kraken("EGeneral:Temporary lockout"), 200),
    ("okx", okx("50011", "Too Many Requests", row=False), 429),
    ("bybit", bybit(10006, "Too many visits!"), 200),
    ("bybit", {}, 403),
    ("coinbase", {}, 429),
]
ABSENT = [
    ("kraken", kraken("EOrder:Unknown order")),
    ("okx", okx("51603", "Order does not exist", row=False)),
    ("okx", okx("51400", "Cancellation failed as the order has been filled, canceled or does not exist.")),
    ("bybit", bybit(170213, "Order does not exist.")),
    ("binance", binance(-2013, "Order does not exist.")),
]


class CountedLimiter(RateLimiter):
    """Counts the rate limits that are reported to it."""

    rejections = 0

    def on_rejected(self, status: int, headers: Mapping[str, str], text: str = "") -> None:
        self.rejections += 1
        super().on_rejected(status, headers, text)


@functools.cache
def exchange_of(venue: str) -> CcxtValue:
    """Return an exchange object of a venue; it connects to nothing."""
    clock, settings = SystemClock(), VenueSettings(venue, venue, None, live=True)
    return new_exchange(asyncio.run(exchange_class(settings)), settings, VenueClock(clock), CountedLimiter(clock))


def error_of(venue: str, body: Body, status: int = 200) -> tuple[Exception, CountedLimiter]:
    """Return the error that an answer to a new order raises."""
    exchange = exchange_of(venue)
    exchange.rate_limiter = limiter = CountedLimiter(SystemClock())
    url = "https://api.binance.com/api/v3/order" if venue == "binance" else "https://venue.example/orders"

    def answer() -> None:
        exchange.handle_errors(status, "reason", url, "POST", {}, json.dumps(body), body, {}, "")
        exchange.handle_http_status_code(status, "reason", url, "POST", json.dumps(body))

    with pytest.raises(Exception, match=r".") as caught:
        answer()
    return caught.value, limiter


@pytest.mark.parametrize(("venue", "body"), REFUSED)
def test_what_was_certainly_not_done_is_refused_in_the_venues_words(venue: str, body: Body) -> None:
    error, _ = error_of(venue, body)
    outcome = command_error(error, may_have_left=True)
    assert type(outcome) is VenueRefused
    assert len(outcome.reason) > 3
    assert not is_clock_error(error)


@pytest.mark.parametrize(("venue", "body"), UNKNOWN)
def test_what_may_have_been_done_is_in_doubt(venue: str, body: Body) -> None:
    error, _ = error_of(venue, body)
    assert type(command_error(error, may_have_left=True)) is OutcomeUnknown


@pytest.mark.parametrize(("venue", "body"), TIMES)
def test_a_refused_time_is_known_as_such(venue: str, body: Body) -> None:
    error, _ = error_of(venue, body)
    assert is_clock_error(error)
    assert type(command_error(error, may_have_left=True)) is VenueRefused


@pytest.mark.parametrize(("venue", "body", "status"), TOO_MANY)
def test_too_many_requests_are_refused_and_are_no_refusal_for_good(venue: str, body: Body, status: int) -> None:
    error, _ = error_of(venue, body, status)
    outcome = command_error(error, may_have_left=True)
    assert type(outcome) is VenueRefused
    assert outcome.code is RejectCode.RATE_LIMITED
    assert type(query_error(error)) is VenueUnreachable
    assert not isinstance(query_error(error), RequestRejected)


@pytest.mark.parametrize(("venue", "body"), ABSENT)
def test_an_order_that_is_not_there_is_known_as_such(venue: str, body: Body) -> None:
    error, _ = error_of(venue, body)
    assert is_order_not_found(error)


@pytest.mark.parametrize(
    ("venue", "body", "_status"), [each for each in TOO_MANY if each[1] and each[1].get("code") != 0]
)
def test_a_rate_limit_that_comes_as_a_servers_error_is_in_doubt_and_counts_as_one(
    venue: str, body: Body, _status: int
) -> None:
    error, limiter = error_of(venue, body, 503)
    assert type(command_error(error, may_have_left=True)) is OutcomeUnknown
    assert limiter.rejections == 1


@pytest.mark.parametrize(("venue", "body"), [*REFUSED, *TIMES, *ABSENT])
def test_no_body_of_a_servers_error_proves_anything(venue: str, body: Body) -> None:
    error, _ = error_of(venue, body, 502)
    assert type(command_error(error, may_have_left=True)) is OutcomeUnknown


def test_a_revoked_key_is_no_ban() -> None:
    error, limiter = error_of("binance", binance(-2015, "Invalid API-key, IP, or permissions for action."))
    assert type(query_error(error)) is CredentialsRejected
    assert limiter.rejections == 0


def test_of_several_errors_the_doubtful_one_decides() -> None:
    error, _ = error_of("kraken", {"error": ["EOrder:Invalid price", "EService:Timeout"]})
    assert type(command_error(error, may_have_left=True)) is OutcomeUnknown
