"""The ports of users: their repository, password hashing, and the randomness of credentials."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.core.pagination import KeysetPage
from domain.model.users import Activity, ApiKey, Device, LoginSession, TwoFactor, User, UserRole


class UserRepository(Protocol):
    """Stores users with their password hashes, their login sessions and API keys, and what they did (activity)."""

    async def add(self, user: User, password_hash: str) -> bool:
        """Insert the user; return False if the email is taken. The very first user becomes the OPERATOR.

        The repository decides that under a lock; `get` returns the role that was stored.
        """
        ...

    async def get(self, user_id: UUID) -> User | None:
        """Return the user; None if there is none by that id."""
        ...

    async def get_active(self, user_id: UUID) -> User | None:
        """Return the user; None if there is none by that id, or they were disabled or erased."""
        ...

    async def get_by_email(self, email: str) -> tuple[User, str] | None:
        """Return the user with that email (lower case) and the password hash."""
        ...

    async def only_user(self) -> User | None:
        """Return the user of an engine that has one alone; None if there are several or none."""
        ...

    async def password_hash(self, user_id: UUID, *, lock: bool = False) -> str | None:
        """Return the user's password hash; `lock` locks the user's row until the transaction ends."""
        ...

    async def lock(self, user_id: UUID, *, keep_new_rows_out: bool = False) -> bool:
        """Lock the user's row until the transaction ends, so that what the user has is counted one after the other.

        Return False if there is no such user, or the user is erased. `keep_new_rows_out` has inserts of rows that refer
        to the user wait as well.
        """
        ...

    async def update(self, user: User) -> None:
        """Store profile and role."""
        ...

    async def set_email(self, user_id: UUID, email: str, verified_at: datetime | None) -> bool:
        """Replace the user's email; return False if another user has it, and then roll the transaction back."""
        ...

    async def set_password(self, user_id: UUID, password_hash: str) -> None:
        """Replace the user's password hash."""
        ...

    async def set_role(self, email: str, role: UserRole) -> User | None:
        """Set the role of the user with that email; None if there is none."""
        ...

    async def set_disabled(self, user_id: UUID, at: datetime | None) -> None:
        """Store since when the user is disabled; None enables the user.

        No credential of a disabled user is found or valid.
        """
        ...

    async def lock_operators(self) -> None:
        """Have everybody who asks the same wait until the transaction ends: operators act one after the other."""
        ...

    async def is_last_operator(self, user_id: UUID) -> bool:
        """Return whether the user is the only operator who isn't disabled, while other users are left.

        It locks as `lock_operators` does.
        """
        ...

    async def add_login_session(self, session: LoginSession, token_hash: bytes) -> None:
        """Insert a login session with the SHA-256 of its token."""
        ...

    async def has_signed_in_from(self, user_id: UUID, device: Device) -> bool:
        """Return whether there is a login session of the user from that device, live or ended."""
        ...

    async def login_session_by_token(self, token_hash: bytes) -> tuple[LoginSession, User] | None:
        """Return the login session, unless it was revoked, and its user. It may have expired."""
        ...

    async def login_sessions(self, user_id: UUID, now: datetime) -> list[LoginSession]:
        """Return the login sessions of the user that are neither revoked nor expired, newest first."""
        ...

    async def touch_login_session(self, session_id: UUID, at: datetime) -> None:
        """Store when the login session was last used."""
        ...

    async def revoke_login_session(self, user_id: UUID, session_id: UUID, at: datetime) -> LoginSession | None:
        """Revoke a login session of the user and return it; None if it doesn't exist, has expired or was revoked."""
        ...

    async def revoke_other_login_sessions(self, user_id: UUID, keep: UUID | None, at: datetime) -> list[UUID]:
        """Revoke all login sessions of the user but `keep`; return their ids."""
        ...

    async def revoke_surplus_login_sessions(self, user_id: UUID, keep: int, at: datetime) -> list[UUID]:
        """Revoke all live login sessions of the user but the newest `keep`; return their ids."""
        ...

    async def revoke_api_keys(self, user_id: UUID, keep: UUID | None, at: datetime) -> list[UUID]:
        """Revoke all keys of the user but `keep`; return their ids."""
        ...

    async def delete_ended_credentials(self, ended_before: datetime, limit: int) -> int:
        """Delete at most `limit` login sessions and `limit` keys that ended before then; return how many."""
        ...

    async def add_api_key(self, key: ApiKey, secret_hash: bytes) -> None:
        """Insert an API key with the SHA-256 of its secret."""
        ...

    async def api_key_by_secret(self, secret_hash: bytes) -> tuple[ApiKey, User] | None:
        """Return the key, unless it was revoked, and its user. It may have expired."""
        ...

    async def api_keys(self, user_id: UUID) -> list[ApiKey]:
        """Return the keys of the user that are not revoked, newest first."""
        ...

    async def touch_api_key(self, key_id: UUID, at: datetime) -> None:
        """Store when the key was last used."""
        ...

    async def revoke_api_key(self, user_id: UUID, key_id: UUID, at: datetime) -> ApiKey | None:
        """Revoke a key of the user and return it; None if it doesn't exist or was revoked."""
        ...

    async def valid_credential_ids(self, ids: Sequence[UUID], now: datetime) -> set[UUID]:
        """Return which of these login sessions and API keys are neither revoked nor expired."""
        ...

    async def confirmed_at(self, session_id: UUID) -> datetime | None:
        """Return when the user of a login session last proved who they are; None if there is no such session."""
        ...

    async def confirm_login_session(self, session_id: UUID, at: datetime) -> None:
        """Store that the user of a login session proved who they are."""
        ...

    async def add_activity(self, activity: Activity) -> None:
        """Store what a user did."""
        ...

    async def activity(self, user_id: UUID, page: KeysetPage) -> list[Activity]:
        """Return a page of what the user did."""
        ...

    async def get_activity(self, user_id: UUID, activity_id: UUID) -> Activity | None:
        """Return one activity of the user."""
        ...


class TwoFactorRepository(Protocol):
    """Stores second factors, and recovery codes by their hashes."""

    async def get(self, user_id: UUID, *, lock: bool = False) -> TwoFactor | None:
        """Return the user's second factor, enabled or not; `lock` locks it until the transaction ends."""
        ...

    async def save(self, factor: TwoFactor) -> None:
        """Insert or replace the user's second factor."""
        ...

    async def delete(self, user_id: UUID) -> None:
        """Delete the user's second factor and recovery codes."""
        ...

    async def replace_recovery_codes(self, user_id: UUID, code_hashes: Sequence[bytes]) -> None:
        """Store the hashes of new recovery codes in the place of the user's present ones."""
        ...

    async def take_recovery_code(self, user_id: UUID, code_hash: bytes) -> bool:
        """Delete a recovery code of the user; return False if there is none."""
        ...

    async def count_recovery_codes(self, user_id: UUID) -> int:
        """Return how many recovery codes the user has left."""
        ...

    async def sealed_secrets(self) -> dict[UUID, bytes]:
        """Return the sealed secrets of all users."""
        ...

    async def replace_secret(self, user_id: UUID, old: bytes, new: bytes) -> bool:
        """Store a secret that was sealed again; return False if the present one is not `old`."""
        ...


class SecretVault(Protocol):
    """Seals secrets of users that the engine must be able to read."""

    def seal_secret(self, secret: str, user_id: UUID) -> bytes:
        """Return the secret sealed for this user."""
        ...

    def unseal_secret(self, sealed: bytes, user_id: UUID) -> str:
        """Return the secret; raises ValueError if it was sealed under another key or for another user."""
        ...


class PasswordHasher(Protocol):
    """Argon2id (RFC 9106), which takes tens of milliseconds on purpose and so runs in threads."""

    threads: int
    """How many hashes it computes at once."""

    def needs_rehash(self, password_hash: str) -> bool:
        """Return whether the hash was made with other parameters than a new one would be."""
        ...

    async def hash(self, password: str) -> str:
        """Return the encoded hash with its salt and parameters."""
        ...

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Return whether the password is right; takes as long without a hash, so that timing reveals no user."""
        ...


class TokenSource(Protocol):
    """Makes the secrets of login sessions, API keys and second factors."""

    def next_token(self) -> str:
        """Return 256 random bits as URL-safe text."""
        ...

    def next_base32(self, characters: int) -> str:
        """Return 5 random bits for each character, in base32 (A to Z, 2 to 7; RFC 4648)."""
        ...
