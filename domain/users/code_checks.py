"""Checks the codes of mails: a code is used once, in time, and by nobody who is signed in as somebody else."""

from datetime import datetime
from typing import Final
from uuid import UUID

from domain.core.errors import ErrorCode, InputError, RateLimited
from domain.model.mail import CodePurpose, EmailCode
from domain.ports.cache import Cache
from domain.ports.unit_of_work import UnitOfWork
from domain.users.tokens import credential_hash

HOUR_SECONDS: Final = 3_600.0
WRONG_CODES_PER_HOUR: Final = 60
MAILS_PER_ADDRESS_AND_HOUR: Final = 20
MAILS_TO_ONE_EMAIL_PER_HOUR: Final = 5
"""How many mails one client may have sent to one email."""

MAILS_TO_ONE_NEW_EMAIL_PER_HOUR: Final = 20
"""How many mails all users together may have sent to one email that none of them has yet."""

RESET_SPACING_SECONDS: Final = 120.0
"""How long after a reset that was asked for no other mail is sent to the same email."""


class MailLimits:
    """How often mails are asked for and codes are tried, counted on all nodes together.

    What others ask for takes nothing from a user: mails are counted by who asks. Resets, which strangers ask for, are
    spaced: within two minutes the mail of the first serves all.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    async def count_mail(self, address: str, email: str, client: str | None = None) -> None:
        """Count a mail that `client` asks for, the address if nobody is signed in; raises `RateLimited`.

        Whether or not somebody has the email makes no difference.
        """
        if await self._count(f"mails:address:{address}") > MAILS_PER_ADDRESS_AND_HOUR:
            raise RateLimited("Too many mails were asked for from this address", int(HOUR_SECONDS))
        if await self._count(f"mails:{client or address}:{email}") > MAILS_TO_ONE_EMAIL_PER_HOUR:
            raise RateLimited(f"You asked for too many mails to {email}", int(HOUR_SECONDS))

    async def count_new_email(self, email: str) -> None:
        """Count a mail to an email that a user wants to have; raises `RateLimited`."""
        if await self._count(f"mails:new-email:{email}") > MAILS_TO_ONE_NEW_EMAIL_PER_HOUR:
            raise RateLimited(f"Too many mails to {email} were asked for", int(HOUR_SECONDS))

    async def may_send_reset(self, email: str) -> bool:
        """Return whether a reset may be sent to the email now: none was asked for in the last two minutes."""
        return await self._cache.increment(f"resets:{email}", RESET_SPACING_SECONDS) == 1

    async def count_wrong_code(self, address: str) -> None:
        """Count a code that isn't valid; raises `RateLimited`."""
        if await self._count(f"wrong-codes:{address}") > WRONG_CODES_PER_HOUR:
            raise RateLimited("Too many codes that aren't valid were tried", int(HOUR_SECONDS))

    async def _count(self, key: str) -> int:
        return await self._cache.increment(key, HOUR_SECONDS)


async def find_code(
    reading: UnitOfWork, code: str, purposes: frozenset[CodePurpose], now: datetime, signed_in: UUID | None
) -> EmailCode | None:
    """Return a valid code without using it; None if it can't be used, by the user who is `signed_in` if anybody is."""
    found = await reading.email_codes.find(_code_hash(code), now)
    return found if _is_usable(found, purposes, signed_in) else None


async def take_code(transaction: UnitOfWork, code: str, found: EmailCode, now: datetime) -> None:
    """Use up a code that was found; raises CREDENTIALS_REJECTED if somebody was faster."""
    if await transaction.email_codes.take(_code_hash(code), now) != found:
        raise code_rejected()


def code_rejected() -> InputError:
    """Return the error for every code that can't be used, whatever the reason."""
    message = "The code is not valid: it may be used or expired, or a newer mail has another one. Ask for a new mail."
    return InputError(ErrorCode.CREDENTIALS_REJECTED, message, ("input", "code"))


def _is_usable(code: EmailCode | None, purposes: frozenset[CodePurpose], signed_in: UUID | None) -> bool:
    return code is not None and code.purpose in purposes and signed_in in {None, code.user_id}


def _code_hash(code: str) -> bytes:
    return credential_hash(code.strip())
