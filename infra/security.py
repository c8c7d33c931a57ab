"""Passwords, tokens and sealed credentials: the domain's security ports by argon2, `secrets` and AES-256-GCM."""

import asyncio
import base64
import hmac
import logging
import os
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cached_property
from uuid import UUID

import argon2
import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.model.trading import VenueCredentials
from domain.ports.accounts import KeyInUse
from domain.ports.unit_of_work import Database

log = logging.getLogger(__name__)

NONCE_BYTES = 12
KEY_BYTES = 32
_FORMAT = b"\x01"
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_USER_SECRET = b"r3edge: secret of the user "
"""What is authenticated with a user's secret before the user's id: no sealed credentials pass for one."""
_EXPIRY_BYTES = 8
_SIGNATURE_BYTES = 32
_LINK_PURPOSE = b"r3edge: links of downloads"
_HASH_PURPOSE = b"r3edge: hashes of API keys"


class RandomTokens:
    """Random bits of the operating system's generator."""

    def next_token(self) -> str:
        """Return URL-safe text of 43 characters."""
        return secrets.token_urlsafe(32)

    def next_base32(self, characters: int) -> str:
        return "".join(secrets.choice(_BASE32) for _ in range(characters))


class HmacLinks:
    """Tokens of a content, 8 bytes of expiry and a HMAC-SHA-256 of both, in base64 for URLs."""

    def __init__(self, key: bytes, kind: str) -> None:
        # Of each kind of content with a key of its own, so that no link opens another door.
        self._key = hmac.digest(hmac.digest(key, _LINK_PURPOSE, "sha256"), kind.encode(), "sha256")

    def sign(self, content: bytes, expires_at: datetime) -> str:
        payload = content + int(expires_at.timestamp()).to_bytes(_EXPIRY_BYTES, "big")
        return _base64(payload + hmac.digest(self._key, payload, "sha256"))

    def read(self, token: str) -> tuple[bytes, datetime] | None:
        try:
            data = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except ValueError:  # no base64, or not even ASCII
            return None
        if token != _base64(data):  # the last character has bits that don't count
            return None
        payload, signature = data[:-_SIGNATURE_BYTES], data[-_SIGNATURE_BYTES:]
        if len(payload) < _EXPIRY_BYTES:
            return None
        if not hmac.compare_digest(hmac.digest(self._key, payload, "sha256"), signature):
            return None
        expires = int.from_bytes(payload[-_EXPIRY_BYTES:], "big")
        return payload[:-_EXPIRY_BYTES], datetime.fromtimestamp(expires, UTC)


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Argon2Hasher:
    """Argon2id with RFC 9106's second recommended parameters (64 MiB, 3 passes), in a small pool of threads.

    Another `hasher` has other parameters. The pool bounds the memory that a burst of log-ins takes: `threads` hashes at
    once, half of the processors and one.
    """

    def __init__(self, hasher: argon2.PasswordHasher | None = None) -> None:
        self.threads = min(max((os.cpu_count() or 1) // 2, 1), 2) + 1
        self._hasher = hasher or argon2.PasswordHasher(time_cost=3, memory_cost=65_536, parallelism=1)
        self._pool = ThreadPoolExecutor(max_workers=self.threads, thread_name_prefix="argon2")

    @cached_property
    def _dummy_hash(self) -> str:
        """What the password of nobody is compared with; made by the first comparison, not while the engine starts."""
        return self._hasher.hash(secrets.token_urlsafe())

    def needs_rehash(self, password_hash: str) -> bool:
        return self._hasher.check_needs_rehash(password_hash)

    async def hash(self, password: str) -> str:
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._hasher.hash, password)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._verify, password_hash, password)

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _verify(self, password_hash: str | None, password: str) -> bool:
        dummy_hash = self._dummy_hash  # always, so that the first comparison takes as long for anybody
        try:
            # Half of a surrogate pair, which no stored password has, can't be written as UTF-8.
            self._hasher.verify(password_hash or dummy_hash, password.encode(errors="surrogatepass"))
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False
        return password_hash is not None


class AesVault:
    """Seals venue credentials with AES-256-GCM; the account's id is authenticated with them (NIST SP 800-38D).

    A sealed value is one byte of format, 12 of nonce, then the ciphertext with its tag. It opens for its account
    alone. What was sealed under an earlier key opens too.
    """

    def __init__(self, key: bytes, earlier_keys: Sequence[bytes] = ()) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"the secret key has {len(key)} bytes and must have {KEY_BYTES}")
        self._cipher = AESGCM(key)
        # A key of its own (RFC 5869 in its simplest form), so that no hash tells anything about what is sealed.
        self._hash_key = hmac.digest(key, _HASH_PURPOSE, "sha256")
        self._earlier = [AESGCM(earlier) for earlier in earlier_keys]

    def seal_secret(self, secret: str, user_id: UUID) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return _FORMAT + nonce + self._cipher.encrypt(nonce, secret.encode(), _USER_SECRET + user_id.bytes)

    def unseal_secret(self, sealed: bytes, user_id: UUID) -> str:
        for cipher in (self._cipher, *self._earlier):
            text = _opened(cipher, sealed, _USER_SECRET + user_id.bytes)
            if text is not None:
                return text.decode()
        raise ValueError("this secret was sealed under another key or for another user")

    def seal(self, credentials: VenueCredentials, account_id: UUID) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return _FORMAT + nonce + self._cipher.encrypt(nonce, msgspec.json.encode(credentials), account_id.bytes)

    def key_hash(self, credentials: VenueCredentials) -> bytes:
        return hmac.digest(self._hash_key, credentials.api_key.encode(), "sha256")

    def unseal(self, sealed: bytes, account_id: UUID) -> VenueCredentials:
        if sealed[:1] != _FORMAT:
            raise ValueError("these credentials were sealed in a format that this version doesn't know")
        for cipher in (self._cipher, *self._earlier):
            text = _opened(cipher, sealed, account_id.bytes)
            if text is not None:
                return msgspec.json.decode(text, type=VenueCredentials)
        raise ValueError("these credentials were sealed under another key or for another account")

    def reseal(self, sealed: bytes, account_id: UUID) -> bytes | None:
        """Return credentials sealed under the present key; None if `sealed` is already."""
        if _opened(self._cipher, sealed, account_id.bytes) is not None:
            return None
        return self.seal(self.unseal(sealed, account_id), account_id)


async def reseal_credentials(database: Database, vault: AesVault) -> int:
    """Seal all accounts' credentials under the present key; return how many were sealed under an earlier one.

    Credentials that no key opens stay as they are: their account reports it when they are used.
    """
    async with database.read_only() as reading:
        sealed = await reading.accounts.all_credentials()
    renewed = 0
    for account_id, old in sealed.items():
        try:
            new = vault.reseal(old, account_id)
        except ValueError:
            log.warning("the credentials of account %s were sealed under a key that isn't set", account_id)
            continue
        if new is not None:
            async with database.transaction() as transaction:
                renewed += await transaction.accounts.replace_credentials(account_id, old, new)
    log.info("sealed the credentials of %d accounts again, of %d", renewed, len(sealed))
    return renewed


async def reseal_secrets(database: Database, vault: AesVault) -> int:
    """Seal the secrets of all second factors under the present key; return how many could be opened.

    A secret that no key opens stays as it is; a recovery code or the operator helps its user.
    """
    async with database.read_only() as reading:
        sealed = await reading.two_factors.sealed_secrets()
    renewed = 0
    for user_id, old in sealed.items():
        try:
            new = vault.seal_secret(vault.unseal_secret(old, user_id), user_id)
        except ValueError:
            log.warning("the second factor of user %s was sealed under a key that isn't set", user_id)
            continue
        async with database.transaction() as transaction:
            renewed += await transaction.two_factors.replace_secret(user_id, old, new)
    log.info("sealed the second factors of %d users again, of %d", renewed, len(sealed))
    return renewed


async def reseal_channels(database: Database, vault: AesVault) -> int:
    """Seal the secrets of all notification channels under the present key; return how many could be opened.

    A channel whose secret no key opens says so when it is used.
    """
    async with database.read_only() as reading:
        channels = await reading.channels.sealed_secrets()
    renewed = 0
    for channel in channels:
        try:
            secret, previous = (
                None
                if sealed is None
                else vault.seal_secret(vault.unseal_secret(sealed, channel.user_id), channel.user_id)
                for sealed in (channel.secret, channel.previous_secret)
            )
        except ValueError:
            log.warning("the channel %s was sealed under a key that isn't set", channel.id)
            continue
        assert secret is not None, "all of these channels have a secret"
        async with database.transaction() as transaction:
            renewed += await transaction.channels.replace_secrets(channel, secret, previous)
    log.info("sealed the secrets of %d notification channels again, of %d", renewed, len(channels))
    return renewed


async def hash_keys(database: Database, vault: AesVault) -> int:
    """Store the hash of each LIVE account's API key under the present key; return how many accounts share theirs.

    Accounts from before keys were hashed may share one, which is no longer possible: the older one keeps it.
    """
    async with database.read_only() as reading:
        sealed = await reading.accounts.live_credentials()
    shared = 0
    for account_id, credentials in sealed.items():
        try:
            key_hash = vault.key_hash(vault.unseal(credentials, account_id))
            async with database.transaction() as transaction:
                await transaction.accounts.set_key_hash(account_id, key_hash)
        except ValueError:
            log.warning("the credentials of account %s were sealed under a key that isn't set", account_id)
        except KeyInUse:
            shared += 1
            log.warning("account %s has the same API key as another one; archive one of them", account_id)
    return shared


def _opened(cipher: AESGCM, sealed: bytes, owner: bytes) -> bytes | None:
    nonce, ciphertext = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
    try:
        return cipher.decrypt(nonce, ciphertext, owner)
    except InvalidTag:
        return None
