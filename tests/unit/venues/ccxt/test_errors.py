import importlib

import ccxt
import pytest

from domain.ports.execution_client import CredentialsRejected, OutcomeUnknown, VenueRefused
from domain.ports.market_data import RequestRejected, VenueGap, VenueUnreachable
from infra.venues.ccxt.errors import (
    command_error,
    describe,
    is_clock_error,
    is_order_not_found,
    query_error,
    stream_error,
)

BODY = 'binance {"code":-2010,"msg":"Account has insufficient balance for requested action."}'
ADDRESS = "binance POST https://api.binance.com/api/v3/order?timestamp=1&signature=abcdef"

DEFINITE = {
    "AccountNotEnabled", "AccountSuspended", "AddressPending", "ArgumentsRequired", "AuthenticationError",
    "BadRequest", "BadSymbol", "ContractUnavailable", "InsufficientFunds", "InvalidAddress", "InvalidNonce",
    "InvalidOrder", "ManualInteractionNeeded", "MarginModeAlreadySet", "MarketClosed", "NoChange", "NotSupported",
    "OperationRejected", "OrderImmediatelyFillable", "OrderNotCached", "OrderNotFillable", "OrderNotFound",
    "PermissionDenied", "RestrictedLocation",
}  # fmt: skip

ALL = sorted(
    name
    for name, each in vars(importlib.import_module("ccxt.base.errors")).items()
    if isinstance(each, type) and issubclass(each, Exception)
)


@pytest.mark.parametrize("name", ALL)
def test_every_error_of_ccxt_is_definite_or_unknown(name: str) -> None:
    error = getattr(ccxt, name)(BODY)
    outcome = command_error(error, may_have_left=True)
    assert type(outcome) is (VenueRefused if name in DEFINITE else OutcomeUnknown)


@pytest.mark.parametrize("name", ALL)
def test_a_question_that_is_refused_for_good_differs_from_one_without_an_answer(name: str) -> None:
    outcome = query_error(getattr(ccxt, name)(BODY))
    kind = getattr(ccxt, name)
    if issubclass(kind, ccxt.AuthenticationError):
        assert type(outcome) is CredentialsRejected
    else:
        refused = name in DEFINITE and name != "InvalidNonce"
        assert type(outcome) is (RequestRejected if refused else VenueUnreachable)


def test_a_duplicate_client_order_id_means_that_the_venue_has_the_order() -> None:
    outcome = command_error(
        ccxt.InvalidOrder('binance {"code":-2010,"msg":"Duplicate order sent."}'), may_have_left=True
    )
    assert type(outcome) is OutcomeUnknown


@pytest.mark.parametrize("error", [KeyError("x"), ValueError("x"), TimeoutError(), OSError(), RuntimeError()])
def test_what_is_not_ccxts_is_unknown_once_bytes_may_have_left(error: Exception) -> None:
    assert type(command_error(error, may_have_left=True)) is OutcomeUnknown
    assert type(command_error(error, may_have_left=False)) is VenueRefused


def test_a_reason_is_the_venues_own_words() -> None:
    assert describe(ccxt.InvalidOrder(BODY)) == "Account has insufficient balance for requested action. (-2010)"
    assert (
        describe(ccxt.BadSymbol("binance does not have market symbol X/Y")) == "binance does not have market symbol X/Y"
    )


@pytest.mark.parametrize("name", ["RequestTimeout", "ExchangeNotAvailable", "ExchangeError", "BadRequest"])
def test_a_reason_never_holds_an_address_or_a_signature(name: str) -> None:
    assert describe(getattr(ccxt, name)(ADDRESS)) == name


def test_the_clock_is_doubted_for_its_own_error_alone() -> None:
    assert is_clock_error(ccxt.InvalidNonce("x"))
    assert not is_clock_error(ccxt.ChecksumError("x"))
    assert not is_clock_error(ccxt.NetworkError("x"))


def test_only_the_venues_answer_means_that_an_order_is_absent() -> None:
    assert is_order_not_found(ccxt.OrderNotFound("x"))
    assert not is_order_not_found(ccxt.NetworkError("order not found"))
    assert not is_order_not_found(ccxt.InvalidOrder("x"))


def test_a_skipped_update_is_a_gap_and_a_broken_wire_is_not() -> None:
    assert type(stream_error(ccxt.ChecksumError("x"))) is VenueGap
    assert type(stream_error(ccxt.NetworkError("x"))) is VenueUnreachable
    assert type(stream_error(KeyError("x"))) is VenueGap


@pytest.mark.parametrize(
    "error", [KeyError("spot"), ValueError("x"), TypeError("x"), TimeoutError(), ConnectionResetError()]
)
def test_an_error_that_is_not_the_venues_is_never_shown_by_its_bare_name(error: Exception) -> None:
    description = describe(error)
    assert " " in description
    assert description != type(error).__name__
    assert "spot" not in description
