"""Authentication: finds the identity of a bearer credential, and revokes credentials."""

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final
from uuid import UUID

import msgspec

from domain.core.clock import Clock
from domain.model.users import ALL_SCOPES, Identity
from domain.ports.bus import MessageBus
from domain.ports.cache import Cache, CacheSpace
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.users.tokens import API_KEY_PREFIX, LOGIN_PREFIX, credential_hash

REVOKED_TOPIC = "credential-revoked"
RESTORED_TOPIC = "credential-restored"
CACHE_SECONDS = 5.0
REMEMBER_SECONDS = 60.0
"""Longer than the life of a cache entry plus the time that a concurrent look-up may take to write one."""

TOUCH_EVERY = timedelta(minutes=1)
MAXIMUM_CREDENTIAL_LENGTH = 256
REMEMBERED_IDENTITIES: Final = 1_024
"""Of how many entries of the cache it is known what they say; who asks again soon has the same."""


class _CachedIdentity(msgspec.Struct, frozen=True, array_like=True):
    """What the cache holds of a credential, valid until `CACHE_SECONDS` after its look-up has begun."""

    valid_until: float
    identity: Identity


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_CachedIdentity).decode


class Authenticator:
    """Identifies bearers by the hash of their credential.

    The database decides; the cache saves the look-up for a few seconds. A revocation deletes the cache entry and is
    published on the bus; a credential that this node knows to be revoked is refused even if it is still cached.
    """

    def __init__(self, database: Database, cache: Cache, bus: MessageBus, clock: Clock) -> None:
        self._database = database
        self._cache = cache
        self._bus = bus
        self._clock = clock
        self._revoked: dict[UUID, float] = {}

    async def identify(self, credential: str) -> Identity | None:
        """Return the identity of the credential; None if it is unknown, revoked or expired."""
        if not _has_valid_form(credential):
            return None
        digest = credential_hash(credential)
        identity = await self._from_cache(digest)
        if identity is None:
            identity = await self._from_database(digest, is_login=credential.startswith(LOGIN_PREFIX))
        if identity is None or self._has_ended(identity):
            return None
        return identity

    async def revoke(self, credential_ids: list[UUID]) -> None:
        """Have every node refuse these credentials from now on; call it after the commit of their revocation."""
        for credential_id in credential_ids:
            self.on_revoked(credential_id)
            await self._cache.delete(CacheSpace.LOGIN_SESSIONS, f"id:{credential_id}")
            await self._bus.publish(REVOKED_TOPIC, credential_id.bytes)

    async def restore(self, credential_ids: list[UUID]) -> None:
        """Have every node take these credentials again, which only rested; call it after the commit."""
        for credential_id in credential_ids:
            self.on_restored(credential_id)
            await self._bus.publish(RESTORED_TOPIC, credential_id.bytes)

    async def forget(self, credential_ids: list[UUID]) -> None:
        """Have every node look up whose these credentials are again, since the user has changed."""
        for credential_id in credential_ids:
            await self._cache.delete(CacheSpace.LOGIN_SESSIONS, f"id:{credential_id}")

    def on_restored(self, credential_id: UUID) -> None:
        """Forget a revocation."""
        self._revoked.pop(credential_id, None)

    def on_revoked(self, credential_id: UUID) -> None:
        """Remember a revocation for as long as the cache may still have the credential."""
        now = self._clock.monotonic()
        self._revoked = {key: until for key, until in self._revoked.items() if until > now}
        self._revoked[credential_id] = now + REMEMBER_SECONDS

    def _has_ended(self, identity: Identity) -> bool:
        expired = identity.expires_at is not None and identity.expires_at <= self._clock.now()
        return expired or self._revoked.get(identity.credential_id, 0.0) > self._clock.monotonic()

    async def _from_cache(self, digest: bytes) -> Identity | None:
        packed = await self._cache.get(CacheSpace.LOGIN_SESSIONS, _cache_key(digest))
        cached = _unpack(packed)
        if cached is None or cached.valid_until <= self._clock.now().timestamp():
            return None
        # A revocation on any node knows the id only, and deletes this entry.
        is_live = await self._cache.get(CacheSpace.LOGIN_SESSIONS, f"id:{cached.identity.credential_id}")
        return cached.identity if is_live else None

    async def _from_database(self, digest: bytes, *, is_login: bool) -> Identity | None:
        now = self._clock.now()
        # From before the look-up: a node that is suspended in the middle of it must not revive what ended meanwhile.
        valid_until = now.timestamp() + CACHE_SECONDS
        async with self._database.read_only() as reading:
            identity = await (_by_token(reading, digest, now) if is_login else _by_secret(reading, digest, now))
        if identity is not None and not self._has_ended(identity):
            await self._cache.put(CacheSpace.LOGIN_SESSIONS, f"id:{identity.credential_id}", b"1", CACHE_SECONDS)
            packed = _encode(_CachedIdentity(valid_until, identity))
            await self._cache.put(CacheSpace.LOGIN_SESSIONS, _cache_key(digest), packed, CACHE_SECONDS)
        return identity


def _cache_key(digest: bytes) -> str:
    return f"by-hash:{digest.hex()}"


@lru_cache(REMEMBERED_IDENTITIES)
def _unpack(packed: bytes | None) -> _CachedIdentity | None:
    """Return what another node has cached; None if there is nothing, or if its version writes something else."""
    try:
        return None if packed is None else _decode(packed)
    except msgspec.DecodeError:  # as raised for a value of another shape, too
        return None


def _has_valid_form(credential: str) -> bool:
    return (
        len(credential) <= MAXIMUM_CREDENTIAL_LENGTH
        and credential.isascii()
        and credential.startswith((LOGIN_PREFIX, API_KEY_PREFIX))
    )


async def _by_token(reading: UnitOfWork, digest: bytes, now: datetime) -> Identity | None:
    found = await reading.users.login_session_by_token(digest)
    if found is None:
        return None
    session, user = found
    if now - session.last_seen_at > TOUCH_EVERY and session.expires_at > now:
        await reading.users.touch_login_session(session.id, now)
    return Identity(user, session.id, ALL_SCOPES, session.expires_at, is_login_session=True)


async def _by_secret(reading: UnitOfWork, digest: bytes, now: datetime) -> Identity | None:
    found = await reading.users.api_key_by_secret(digest)
    if found is None:
        return None
    key, user = found
    expired = key.expires_at is not None and key.expires_at <= now
    if not expired and (key.last_used_at is None or now - key.last_used_at > TOUCH_EVERY):
        await reading.users.touch_api_key(key.id, now)
    return Identity(
        user,
        key.id,
        key.scopes,
        key.expires_at,
        is_login_session=False,
        requests_per_minute=key.requests_per_minute,
    )
