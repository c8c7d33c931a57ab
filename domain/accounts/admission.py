"""What an account must meet to be opened: the kind of its venue, its form, and an API key of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from domain.accounts.validation import balance_errors, credential_errors
from domain.core.errors import ErrorCode, InputError
from domain.model.markets import Venue
from domain.model.trading import NO_LIMITS, Account, AccountKind, Balance, RiskLimits, VenueCredentials
from domain.ports.accounts import KeyInUse
from domain.ports.venues import PaperVenue

CURRENCY = ("input", "currency")


@dataclass(frozen=True, slots=True)
class Paths:
    """The paths in a mutation's input of the credentials that are tried, and of the venue that refuses them."""

    credentials: tuple[str, ...]
    venue: tuple[str, ...]


OPENED = Paths(("input", "credentials"), ("input", "venue"))
REPLACED = Paths(("input",), ("id",))
SEALED = Paths(("id",), ("id",))


@dataclass(frozen=True, slots=True)
class AccountRequest:
    """The account to open, as its user describes it."""

    name: str
    kind: AccountKind
    venue: str
    currency: str
    balances: tuple[Balance, ...] | None = None
    credentials: VenueCredentials | None = None
    risk: RiskLimits = NO_LIMITS
    idempotency_key: str | None = None


def paper_account_errors(request: AccountRequest, paper: PaperVenue | None) -> list[InputError]:
    """Return why no PAPER account can be opened so; `paper` is the venue's administrative side, if it has one."""
    errors = balance_errors(request.balances or (), ("input", "balances"))
    if paper is None:
        message = f"{request.venue} is live; paper accounts are opened on a sandbox venue."
        errors.append(InputError(ErrorCode.UNSUPPORTED, message, ("input", "venue")))
    if request.credentials is not None:
        message = "A PAPER account takes no credentials; leave them out."
        errors.append(InputError(ErrorCode.INVALID, message, ("input", "credentials")))
    return errors


@contextmanager
def one_account_a_key(account: Account, path: tuple[str, ...]) -> Iterator[None]:
    """Raise CONFLICT for a key of another account; of an account of somebody else the error has no more."""
    try:
        yield
    except KeyInUse as used:
        where = f"your account {used.name!r}" if used.owner == account.user_id else "another account of this engine"
        message = (
            f"This API key is in use by {where}, and two accounts on one key would take each other's orders for "
            f"somebody else's. Archive the other account, or create another key at {account.venue}."
        )
        raise InputError(ErrorCode.CONFLICT, message, path) from None


def live_account_errors(request: AccountRequest, venue: Venue) -> list[InputError]:
    """Return why no LIVE account can be opened so."""
    errors = []
    if not venue.has_profile:
        message = (
            f"The engine doesn't know how {venue.name} treats orders, so it can't follow them from their placing to "
            "their end, and opens no account with real money there. The venue's market data is available."
        )
        errors.append(InputError(ErrorCode.UNSUPPORTED, message, OPENED.venue))
    if request.balances is not None:
        message = "A LIVE account holds what the venue says; leave balances out."
        errors.append(InputError(ErrorCode.INVALID, message, ("input", "balances")))
    return [*errors, *credential_errors(request.credentials, OPENED.credentials)]
