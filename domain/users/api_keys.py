"""API keys: long-lived credentials with scopes."""

from datetime import datetime
from uuid import UUID

from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, Forbidden, InputError
from domain.core.time import expiry_error
from domain.core.validation import normalise_name
from domain.model.plans import Entitlement
from domain.model.users import ApiKey, ApiScope, Identity
from domain.ports.unit_of_work import Database
from domain.ports.users import TokenSource
from domain.users.activity import record_activity
from domain.users.authentication import Authenticator
from domain.users.entitlements import require_room
from domain.users.recent_sign_in import lock_recent_sign_in
from domain.users.tokens import credential_hash, new_api_secret


class ApiKeyService:
    """Creates and revokes API keys."""

    def __init__(
        self, database: Database, authenticator: Authenticator, tokens: TokenSource, clock: Clock, ids: IdGenerator
    ) -> None:
        self._database = database
        self._authenticator = authenticator
        self._tokens = tokens
        self._clock = clock
        self._ids = ids

    async def create(
        self,
        identity: Identity,
        name: str,
        scopes: frozenset[ApiScope],
        expires_at: datetime | None,
        requests_per_minute: int | None = None,
    ) -> tuple[ApiKey, str]:
        """Return the new key and its secret, which is never shown again.

        Raises INVALID (name, scopes, expiry, rate), LIMIT_REACHED, and `Forbidden` if the request came with an API key,
        whatever its scopes: a thief mustn't be able to create a key that outlives the stolen one.
        """
        if not identity.is_login_session:
            raise Forbidden(
                "An API key can't make API keys, else a stolen one were good for ever; sign in to make one."
            )
        name = normalise_name(name, "name")
        now = self._clock.now()
        if not scopes:
            raise InputError(ErrorCode.INVALID, "Name at least one of READ, TRADE, ADMIN.", ("input", "scopes"))
        if expires_at is not None and (error := expiry_error(expires_at, now)):
            raise InputError(ErrorCode.INVALID, f"expiresAt {error}.", ("input", "expiresAt"))
        if requests_per_minute is not None and requests_per_minute < 1:
            message = f"requestsPerMinute is {requests_per_minute}; it must be at least 1, or left out."
            raise InputError(ErrorCode.INVALID, message, ("input", "requestsPerMinute"))
        secret = new_api_secret(self._tokens)
        key = ApiKey(self._ids.next_id(), identity.user.id, name, scopes, now, None, expires_at, requests_per_minute)
        async with self._database.transaction() as transaction:
            await lock_recent_sign_in(transaction, identity, now)
            await require_room(transaction, identity.user.id, Entitlement.API_KEYS)
            await transaction.users.add_api_key(key, credential_hash(secret))
            subject = ("ApiKey", str(key.id))
            await record_activity(transaction, self._ids, now, identity.user.id, "apiKeyCreate", subject, name)
        return key, secret

    async def revoke(self, identity: Identity, key_id: UUID) -> ApiKey:
        """Revoke a key of the user and close its connections; raises NOT_FOUND."""
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            key = await transaction.users.revoke_api_key(identity.user.id, key_id, now)
            if key is None:
                raise InputError(ErrorCode.NOT_FOUND, "You have no such API key.", ("id",))
            subject = ("ApiKey", str(key_id))
            await record_activity(transaction, self._ids, now, identity.user.id, "apiKeyRevoke", subject, key.name)
        await self._authenticator.revoke([key_id])
        return key
