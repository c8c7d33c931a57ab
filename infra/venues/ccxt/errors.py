"""Maps ccxt's errors to the outcome of a request: rejected, unknown, or not sent.

The classes are known by name, so that nothing here imports ccxt, which takes a second. Their order matters: ccxt puts
`InvalidNonce` under `NetworkError` although the venue answered, and `ChecksumError` under `InvalidNonce`.
"""

import json
import re

from domain.ports.execution_client import CredentialsRejected, OutcomeUnknown, VenueRefused
from domain.ports.market_data import RequestRejected, VenueGap, VenueUnreachable
from infra.venues.ccxt.rejections import explain, reject_code

_CCXT_PREFIX = re.compile(r"^[a-z][a-z0-9]* (?=[A-Z])")
"""ccxt puts its own name of the venue before the venue's message; the engine may use another name."""

_NEVER_DEFINITE = frozenset({"ChecksumError", "DuplicateOrderId"})
_DUPLICATE = "duplicate order"
"""A duplicate client order id shows that the venue has such an order; a query by that id returns its state.

For Binance's ("Duplicate order sent.", -2010) ccxt has no class of its own: it raises a plain InvalidOrder.
"""

_DEFINITE = frozenset(
    {
        "ArgumentsRequired",
        "AuthenticationError",
        "BadRequest",
        "InsufficientFunds",
        "InvalidAddress",
        "InvalidNonce",
        "InvalidOrder",
        "NotSupported",
        "OperationRejected",
        "TooManyRequests",
    }
)


def error_names(error: BaseException) -> frozenset[str]:
    """Return the names of the error's class and of its base classes."""
    return frozenset(cls.__name__ for cls in type(error).__mro__)


def is_definite_rejection(error: BaseException) -> bool:
    """Return whether the venue has answered that it did nothing."""
    names = error_names(error)
    if names & _NEVER_DEFINITE or _DUPLICATE in str(error).lower():
        return False
    return bool(names & _DEFINITE)


def is_order_not_found(error: BaseException) -> bool:
    """Return whether the venue has answered that it has no such order."""
    return "OrderNotFound" in error_names(error)


def is_clock_error(error: BaseException) -> bool:
    """Return whether the venue rejected a request for its timestamp (Binance: -1021)."""
    names = error_names(error)
    return "InvalidNonce" in names and "ChecksumError" not in names


def describe(error: BaseException) -> str:
    """Return the venue's own message; else ccxt's name of the error, or what went wrong.

    The text of a network error contains the URL with signature and key, so it is never returned.
    """
    text = str(error)
    try:
        answer = json.loads(text[text.index("{") :])
        message, code = answer.get("msg") or answer.get("message"), answer.get("code")
    except (ValueError, AttributeError):
        return _name_or_text(error, text)
    if not message:
        return _name(error)
    return (message if message == code else f"{message} ({code})")[:200]


def command_error(error: Exception, *, may_have_left: bool) -> VenueRefused | OutcomeUnknown:
    """Return the outcome of a failed order or cancel; `may_have_left`: whether bytes of the request may have left."""
    if is_definite_rejection(error) or not may_have_left:
        description = describe(error)
        return VenueRefused(explain(description), reject_code(error_names(error), description))
    return OutcomeUnknown(describe(error))


def query_error(error: Exception) -> VenueUnreachable:
    """Return the error of a failed query: wrong credentials, a query that never works, or no answer for now."""
    if isinstance(error, VenueUnreachable):
        return error
    if "AuthenticationError" in error_names(error):
        return CredentialsRejected(describe(error))
    is_passing = is_clock_error(error) or "TooManyRequests" in error_names(error)
    if is_definite_rejection(error) and not is_passing:
        return RequestRejected(describe(error))
    return VenueUnreachable(describe(error))


def stream_error(error: Exception) -> VenueGap | VenueUnreachable:
    """Return the error of a failed stream: messages are missing (`VenueGap`), or the venue can't be reached."""
    if isinstance(error, VenueGap | VenueUnreachable):
        return error
    names = error_names(error)
    if "NetworkError" in names and "ChecksumError" not in names:
        return VenueUnreachable(describe(error))
    return VenueGap(describe(error))


def _name_or_text(error: BaseException, text: str) -> str:
    if "://" in text or "signature" in text or "NetworkError" in error_names(error) or not is_definite_rejection(error):
        return _name(error)
    return _CCXT_PREFIX.sub("", text)[:200]


def _name(error: BaseException) -> str:
    """Return ccxt's name of the error; for one of Python's, a description."""
    if any(cls.__module__.startswith("ccxt.") for cls in type(error).__mro__):
        return type(error).__name__
    if isinstance(error, TimeoutError):
        return "there was no answer in time"
    if isinstance(error, OSError):
        return "the connection failed"
    return f"what the venue sent could not be read ({type(error).__name__})"
