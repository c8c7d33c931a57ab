"""Validates what an account is opened, funded and limited with, before any venue is asked; returns all errors."""

import difflib
from collections.abc import Iterable, Sequence
from decimal import Decimal

from domain.core.errors import ErrorCode, InputError
from domain.core.money import EXACT, plain
from domain.model.trading import Balance, VenueCredentials

MAXIMUM_CURRENCIES = 50
MAXIMUM_PAPER_AMOUNT = Decimal(10) ** 9
PAPER_PLACES = 8
"""A sandbox keeps its accounts to 8 decimals, as Binance does."""

MAXIMUM_SECRET_LENGTH = 4_096
MAXIMUM_CURRENCY_LENGTH = 32
_MAX_NAMES = 30
_NOT_IN_CURRENCIES = frozenset(" /:,;\"'\\")

Path = tuple[str, ...]


def currency_errors(currency: str, path: Path) -> list[InputError]:
    """Return the error of a text that can't be a currency's code; `W`, `USDe` and codes in other scripts can."""
    is_printable = (
        len(currency) <= MAXIMUM_CURRENCY_LENGTH and currency.isprintable() and any(map(str.isalnum, currency))
    )
    if is_printable and not _NOT_IN_CURRENCIES.intersection(currency):
        return []
    return [InputError(ErrorCode.INVALID, f"{currency[:20]!r} is not a currency such as USDT.", path)]


def unknown_currency_errors(venue: str, currency: str, known: Iterable[str], path: Path) -> list[InputError]:
    """Return the error for a currency that a venue doesn't have, which lists those that it has."""
    names = sorted(known)
    if currency in names:
        return []
    by_case = {name.casefold(): name for name in names}
    close = difflib.get_close_matches(currency.casefold(), by_case, 1)
    hint = f" (did you mean {by_case[close[0]]}?)" if close else ""
    more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    there_are = f"{', '.join(names[:_MAX_NAMES])}{more}"
    message = f"{venue} has no currency {currency[:20]!r}{hint}; there are: {there_are}."
    return [InputError(ErrorCode.INVALID, message, path)]


def balance_errors(balances: Sequence[Balance], path: Path) -> list[InputError]:
    """Return the errors of the balances that a PAPER account is opened with."""
    if len(balances) > MAXIMUM_CURRENCIES:
        return [InputError(ErrorCode.INVALID, f"At most {MAXIMUM_CURRENCIES} balances can be given.", path)]
    errors: list[InputError] = []
    seen: set[str] = set()
    for index, balance in enumerate(balances):
        errors += paper_errors(balance.currency, balance.total, (*path, str(index)))
        if balance.currency in seen:
            message = f"{balance.currency[:MAXIMUM_CURRENCY_LENGTH]} is given twice."
            errors.append(InputError(ErrorCode.INVALID, message, (*path, str(index), "currency")))
        seen.add(balance.currency)
    return errors


def paper_errors(currency: str, amount: Decimal, path: Path) -> list[InputError]:
    """Return the errors of an amount of paper money."""
    return [*currency_errors(currency, (*path, "currency")), *_amount_errors(amount, (*path, "amount"))]


def credential_errors(credentials: VenueCredentials | None, path: Path) -> list[InputError]:
    """Return the errors of the form of a LIVE account's credentials, at `path`."""
    if credentials is None or not credentials.api_key or not credentials.secret:
        return [InputError(ErrorCode.INVALID, "A LIVE account needs credentials: apiKey and secret.", path)]
    parts = (credentials.api_key, credentials.secret, credentials.passphrase or "")
    if max(map(len, parts)) > MAXIMUM_SECRET_LENGTH:
        return [InputError(ErrorCode.INVALID, f"A credential has at most {MAXIMUM_SECRET_LENGTH} characters.", path)]
    if not all(part.isascii() for part in parts) or not credentials.api_key.isprintable():
        return [InputError(ErrorCode.INVALID, "A credential is written in ASCII characters.", path)]
    return []


def _amount_errors(amount: Decimal, path: Path) -> list[InputError]:
    if not 0 < amount <= MAXIMUM_PAPER_AMOUNT:
        message = f"The amount must be more than 0 and at most {MAXIMUM_PAPER_AMOUNT:,f}; it is {plain(amount)}."
        return [InputError(ErrorCode.INVALID, message, path)]
    if EXACT.remainder(amount, Decimal(1).scaleb(-PAPER_PLACES)):
        message = f"The amount has at most {PAPER_PLACES} decimals; it is {plain(amount)}."
        return [InputError(ErrorCode.INVALID, message, path)]
    return []
