"""Attempts to sign in at an OpenID provider: from the client to the provider, and back with a code for the client.

The code that the browser brings back to the client is no token: it can be used once, for minutes, and by nobody but the
client that started the attempt, which alone knows the secret behind the attempt's challenge (as PKCE, RFC 7636). So
nobody can make somebody else's client finish a sign-in that isn't its own.
"""

import base64
import hashlib
import hmac
import logging
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, InputError, RateLimited, Unavailable
from domain.model.oidc import OidcAttempt, OidcResult
from domain.ports.cache import Cache
from domain.ports.oidc import OidcClient, OidcRejected
from domain.ports.unit_of_work import Database
from domain.ports.users import TokenSource
from domain.users.code_checks import HOUR_SECONDS, MailLimits
from domain.users.tokens import credential_hash, new_sign_in_code

log = logging.getLogger(__name__)

ATTEMPT_LIFE: Final = timedelta(minutes=10)
"""How long somebody may take at the provider."""

RESULT_LIFE: Final = timedelta(minutes=5)
ATTEMPTS_PER_ADDRESS_AND_HOUR: Final = 100
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
"""A SHA-256 in base64 for URLs (RFC 7636, 4.2)."""


@dataclass(frozen=True, slots=True)
class StartedAttempt:
    """Where the user's browser goes, and how long the attempt is valid."""

    url: str
    attempt: OidcAttempt


class SignInFailed(Exception):
    """The browser came back without a sign-in; `reason` is a word for the client."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class OidcAttempts:
    """Starts attempts, and takes what the browser brings back from the provider."""

    def __init__(
        self,
        database: Database,
        client: OidcClient,
        cache: Cache,
        limits: MailLimits,
        tokens: TokenSource,
        clock: Clock,
        ids: IdGenerator,
    ) -> None:
        self._database = database
        self._client = client
        self._cache = cache
        self._limits = limits
        self._tokens = tokens
        self._clock = clock
        self._ids = ids

    async def start(self, provider: str, challenge: str, address: str) -> StartedAttempt:
        """Start an attempt; raises NOT_FOUND, INVALID (the challenge), `RateLimited` and `Unavailable`."""
        known = self._client.providers
        if provider not in known:
            there_are = f"there are {', '.join(sorted(known))}" if known else "this server has none"
            message = f"{provider[:50]!r} is not a sign-in provider; {there_are}."
            raise InputError(ErrorCode.NOT_FOUND, message, ("input", "provider"))
        if not _CHALLENGE.fullmatch(challenge):
            message = (
                "challenge must be the SHA-256 of your verifier in base64 for URLs, 43 characters without padding."
            )
            raise InputError(ErrorCode.INVALID, message, ("input", "challenge"))
        if await self._cache.increment(f"oidc:{address}", HOUR_SECONDS) > ATTEMPTS_PER_ADDRESS_AND_HOUR:
            raise RateLimited("Too many sign-ins were started from this address", int(HOUR_SECONDS))
        now, state = self._clock.now(), self._tokens.next_token()
        secrets = (self._tokens.next_token(), self._tokens.next_token())
        attempt = OidcAttempt(self._ids.next_id(), provider, *secrets, challenge, now, now + ATTEMPT_LIFE)
        url = await self._client.authorization_url(attempt, state)
        async with self._database.transaction() as transaction:
            await transaction.oidc.add_attempt(attempt, credential_hash(state))
        return StartedAttempt(url, attempt)

    async def finish(self, provider: str, state: str, code: str | None, issuer: str | None) -> str:
        """Return a code for the client, for the authorization code that the browser brought; raises `SignInFailed`.

        `issuer` is what the browser brought as `iss` (RFC 9207), by which an answer of another provider is known.
        """
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            attempt = await transaction.oidc.take_attempt(credential_hash(state), now)
        if attempt is None or attempt.provider != provider:
            raise SignInFailed("expired")
        expected = self._client.providers.get(provider)
        if expected is None or issuer not in {None, expected.issuer}:
            raise SignInFailed("rejected")
        if code is None:
            raise SignInFailed("denied")
        try:
            identity = await self._client.redeem(attempt, code)
        except OidcRejected as error:
            log.warning("a sign-in at %s was rejected: %s", provider, error)
            raise SignInFailed("rejected") from None
        except Unavailable as error:
            log.warning("a sign-in at %s failed: %s", provider, error.message)
            raise SignInFailed("unavailable") from None
        made = new_sign_in_code(self._tokens)
        expires_at = self._clock.now() + RESULT_LIFE
        async with self._database.transaction() as transaction:
            await transaction.oidc.add_result(attempt.id, identity, credential_hash(made), expires_at)
        return made

    async def find(self, code: str, verifier: str, address: str) -> OidcResult:
        """Return the result of a code without using it up; raises CREDENTIALS_REJECTED and `RateLimited`."""
        async with self._database.read_only() as reading:
            found = await reading.oidc.find_result(credential_hash(code.strip()), self._clock.now())
        if found is None or not hmac.compare_digest(challenge_of(verifier), found.challenge):
            await self._limits.count_wrong_code(address)
            raise sign_in_rejected()
        return found


def challenge_of(verifier: str) -> str:
    """Return the challenge that belongs to a verifier (RFC 7636, 4.6)."""
    digest = hashlib.sha256(verifier.encode(errors="replace")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def sign_in_rejected() -> InputError:
    """Return the error for every code of a sign-in that can't be used, whatever the reason."""
    message = (
        "The code is not valid: it may be used or expired, or belong to another verifier. Start again by oidcStart."
    )
    return InputError(ErrorCode.CREDENTIALS_REJECTED, message, ("input", "code"))
