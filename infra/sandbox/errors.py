"""The errors that the exchange answers with, with Binance's codes and texts.

Source: developers.binance.com/docs/binance-spot-api-docs, "Error codes" and "Filters".
"""


class ExchangeError(Exception):
    """An error answer: an HTTP status and Binance's `code` and `msg`."""

    def __init__(self, code: int, message: str, status: int = 400, retry_after_seconds: int | None = None) -> None:
        self.code = code
        self.message = message
        self.status = status
        self.retry_after_seconds = retry_after_seconds
        super().__init__(f"{code} {message}")

    def content(self) -> dict[str, object]:
        """Return what Binance answers."""
        return {"code": self.code, "msg": self.message}


class ReplaceFailedError(ExchangeError):
    """A cancel-replace of which one half (-2021) or both (-2022) failed; `data` says which, and how."""

    def __init__(self, data: dict[str, object], *, is_partial: bool) -> None:
        self.data = data
        if is_partial:
            super().__init__(-2021, "Order cancel-replace partially failed.", 409)
        else:
            super().__init__(-2022, "Order cancel-replace failed.")

    def content(self) -> dict[str, object]:
        """Return what Binance answers."""
        return super().content() | {"data": self.data}


class OrderRejectedError(ExchangeError):
    """A new order that the matching engine rejects (-2010), with the `reason` that the user data stream gives."""

    def __init__(self, message: str, reason: str = "NONE") -> None:
        self.reason = reason
        super().__init__(-2010, message)


class AmendRejectedError(ExchangeError):
    """An amendment that the matching engine rejects (-2038)."""

    def __init__(self, message: str) -> None:
        super().__init__(-2038, message)


class MarketClosedError(OrderRejectedError):
    """A new order for a mirrored market whose live prices aren't known now: it would be filled at outdated ones."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The market is closed: {reason}.")


class FilterFailureError(ExchangeError):
    """An order outside one of its market's filters (-1013)."""

    def __init__(self, filter_type: str) -> None:
        super().__init__(-1013, f"Filter failure: {filter_type}")


class UnlistedMarketError(RuntimeError):
    """A folder with open orders in a market that this start doesn't list."""

    def __init__(self, symbol: str) -> None:
        super().__init__(f"there are open orders in {symbol}, which isn't listed: start with the file that lists it")


class MissingParameterError(ExchangeError):
    """A mandatory parameter that was not sent, was empty or can't be read (-1102)."""

    def __init__(self, name: str) -> None:
        super().__init__(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


class IllegalParameterError(ExchangeError):
    """A parameter with characters that its pattern doesn't allow (-1100)."""

    def __init__(self, name: str, pattern: str) -> None:
        text = f"Illegal characters found in parameter '{name}'; legal range is '{pattern}'."
        super().__init__(-1100, text)


class UnneededParameterError(ExchangeError):
    """A parameter that this type of order doesn't accept (-1106)."""

    def __init__(self, name: str) -> None:
        super().__init__(-1106, f"Parameter '{name}' sent when not required.")


def bad_symbol() -> ExchangeError:
    """Return the error for a market that isn't listed."""
    return ExchangeError(-1121, "Invalid symbol.")


def unknown_order() -> ExchangeError:
    """Return the error for a cancel of an order that isn't open."""
    return ExchangeError(-2011, "Unknown order sent.")


def no_such_order() -> ExchangeError:
    """Return the error for a query of an order that doesn't exist."""
    return ExchangeError(-2013, "Order does not exist.")


def insufficient_balance() -> OrderRejectedError:
    """Return the error for an order that its account can't pay for."""
    return OrderRejectedError("Account has insufficient balance for requested action.", "INSUFFICIENT_BALANCES")
