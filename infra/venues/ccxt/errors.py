"""What an error of ccxt says about the fate of a request.

The classes are known by name, so that nothing here imports ccxt, which takes a second. Their order matters: ccxt puts
`InvalidNonce` under `NetworkError` although it is the venue's own word, and `ChecksumError` under `InvalidNonce`.
"""

import json
import re

from domain.ports.execution_client import CredentialsRejected, OutcomeUnknown, VenueRefused
from domain.ports.market_data import RequestRejected, VenueGap, VenueUnreachable
from infra.venues.ccxt.rejections import in_plain_words, reject_code

# A duplicate client order id says that the venue has such an order: whoever asks for it by that id learns its fate.
# For Binance's ("Duplicate order sent.", -2010) ccxt has no class of its own: it raises a plain InvalidOrder.
_NAMED = re.compile(r"^[a-z][a-z0-9]* (?=[A-Z])")
"""ccxt puts its own name of the venue before what the venue said; the engine may call that venue otherwise."""

_NEVER_DEFINITE = frozenset({"ChecksumError", "DuplicateOrderId"})
_DUPLICATE = "duplicate order"
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
    }
)


def kinds(error: BaseException) -> frozenset[str]:
    """Return the names of the error's class and all that it derives from."""
    return frozenset(each.__name__ for each in type(error).__mro__)


def is_definite(error: BaseException) -> bool:
    """Tell whether the error is the venue's own word that nothing was done."""
    names = kinds(error)
    if names & _NEVER_DEFINITE or _DUPLICATE in str(error).lower():
        return False
    return bool(names & _DEFINITE)


def says_absent(error: BaseException) -> bool:
    """Tell whether the error is the venue's own word that it has no such order."""
    return "OrderNotFound" in kinds(error)


def is_clock_error(error: BaseException) -> bool:
    """Tell whether the venue refused a request for its timestamp (Binance: -1021)."""
    names = kinds(error)
    return "InvalidNonce" in names and "ChecksumError" not in names


def reason(error: BaseException) -> str:
    """Return what the venue said, in its own words; else the name that ccxt gives to the error, or what went wrong.

    An error of the network holds the address with signature and key, so its text is never shown.
    """
    text = str(error)
    try:
        answer = json.loads(text[text.index("{") :])
        message, code = answer.get("msg") or answer.get("message"), answer.get("code")
    except (ValueError, AttributeError):
        return _name_or_text(error, text)
    return f"{message} ({code})"[:200] if message else _name(error)


def command_error(error: Exception, *, left: bool) -> VenueRefused | OutcomeUnknown:
    """Return what an error of placing or cancelling means; `left` where bytes may have left."""
    if is_definite(error) or not left:
        told = reason(error)
        return VenueRefused(in_plain_words(told), reject_code(kinds(error), told))
    return OutcomeUnknown(reason(error))


def question_error(error: Exception) -> VenueUnreachable:
    """Return what an error of a question means: there is no answer, for the credentials' sake perhaps, or for ever."""
    if isinstance(error, VenueUnreachable):
        return error
    if "AuthenticationError" in kinds(error):
        return CredentialsRejected(reason(error))
    if is_definite(error) and not is_clock_error(error):
        return RequestRejected(reason(error))
    return VenueUnreachable(reason(error))


def stream_error(error: Exception) -> VenueGap | VenueUnreachable:
    """Return what an error of a stream means: it skipped (`VenueGap`), or the venue can't be reached."""
    if isinstance(error, VenueGap | VenueUnreachable):
        return error
    names = kinds(error)
    if "NetworkError" in names and "ChecksumError" not in names:
        return VenueUnreachable(reason(error))
    return VenueGap(reason(error))


def _name_or_text(error: BaseException, text: str) -> str:
    if "://" in text or "signature" in text or "NetworkError" in kinds(error) or not is_definite(error):
        return _name(error)
    return _NAMED.sub("", text)[:200]


def _name(error: BaseException) -> str:
    """Return ccxt's name of the error; one of Python's would say nothing of the venue by itself."""
    if any(each.__module__.startswith("ccxt.") for each in type(error).__mro__):
        return type(error).__name__
    if isinstance(error, TimeoutError):
        return "there was no answer in time"
    if isinstance(error, OSError):
        return "the connection failed"
    return f"what the venue sent could not be read ({type(error).__name__})"
