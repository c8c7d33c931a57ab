from decimal import Decimal

import pytest

from domain.accounts.validation import balance_errors, currency_errors, paper_errors, unknown_currency_errors
from domain.core.errors import ErrorCode
from domain.model.trading import Balance

PATH = ("input", "currency")


@pytest.mark.parametrize(
    "currency", ["USDT", "W", "T", "1000000BABYDOGE", "USDe", "kPEPE", "1INCH", "币安人生", "LD-BTC"]
)
def test_codes_that_venues_have_are_currencies(currency: str) -> None:
    assert currency_errors(currency, PATH) == []


@pytest.mark.parametrize(
    "text", ["", " ", "US DOLLARS", "BTC/USDT", "BTC:USDT", "USDT\n", "\x00", "X" * 33, "A;B", '"']
)
def test_what_cant_be_a_code_is_an_error(text: str) -> None:
    (error,) = currency_errors(text, PATH)
    assert (error.code, error.path) == (ErrorCode.INVALID, PATH)
    assert "is not a currency such as USDT" in error.message


@pytest.mark.parametrize(
    ("amount", "hint"),
    [
        ("0", "more than 0 and at most 1,000,000,000; it is 0"),
        ("-1", "it is -1"),
        ("1000000000.00000001", "it is 1000000000.00000001"),
        ("1E+37", "it is 1" + 37 * "0"),
        ("0.000000001", "at most 8 decimals; it is 0.000000001"),
        ("1.123456789", "at most 8 decimals; it is 1.123456789"),
        ("1E-30", "at most 8 decimals"),
    ],
)
def test_the_error_of_an_amount_names_what_a_sandbox_takes(amount: str, hint: str) -> None:
    (error,) = paper_errors("USDT", Decimal(amount), ("input",))
    assert (error.code, error.path) == (ErrorCode.INVALID, ("input", "amount"))
    assert hint in error.message


@pytest.mark.parametrize("amount", ["0.00000001", "1000000000", "1.1000000000000", "1E+9", "1E-8"])
def test_the_least_and_the_most_that_a_sandbox_takes_are_right(amount: str) -> None:
    assert paper_errors("W", Decimal(amount), ("input",)) == []


def test_each_balance_has_its_error_at_its_path() -> None:
    unit = Decimal(1)
    given = [Balance("W", unit, unit), Balance("W", unit, unit), Balance("A/B", Decimal(0), Decimal(0))]
    assert {error.path for error in balance_errors(given, ("b",))} == {
        ("b", "1", "currency"),
        ("b", "2", "currency"),
        ("b", "2", "amount"),
    }


def test_the_error_of_a_currency_that_a_venue_lacks_lists_those_that_it_has() -> None:
    (error,) = unknown_currency_errors("sandbox", "usdt", {"USDT", "BTC"}, PATH)
    assert error.message == "sandbox has no currency 'usdt' (did you mean USDT?); there are: BTC, USDT."
    (error,) = unknown_currency_errors("big", "EUR", [f"C{number:03}" for number in range(500)], PATH)
    assert error.message.endswith(", C029 and 470 more.")
    assert unknown_currency_errors("sandbox", "BTC", {"USDT", "BTC"}, PATH) == []
