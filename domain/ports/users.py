"""What the users' domain needs of the outside."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.core.pagination import KeysetPage
from domain.model.trading_state import TradingState
from domain.model.users import Activity, ApiKey, LoginSession, User, UserRole


class UserRepository(Protocol):
    """Users, login sessions, API keys and activity."""

    async def add(self, user: User, password_hash: str) -> bool:
        """Add the user; return False where the email is taken. The very first user of all becomes the OPERATOR.

        The repository decides that under a lock, and `get` tells what it decided.
        """
        ...

    async def get(self, user_id: UUID) -> User | None:
        """Return the user."""
        ...

    async def get_by_email(self, email: str) -> tuple[User, str] | None:
        """Return the user with that email (lower case) and the password hash."""
        ...

    async def password_hash(self, user_id: UUID, *, lock: bool = False) -> str | None:
        """Return the user's password hash; `lock` holds the user's row until the transaction ends."""
        ...

    async def update(self, user: User) -> None:
        """Store display name, plan, role and trading state."""
        ...

    async def set_password(self, user_id: UUID, password_hash: str) -> None:
        """Replace the password hash."""
        ...

    async def set_role(self, email: str, role: UserRole) -> User | None:
        """Give the user with that email a role."""
        ...

    async def set_trading_state(self, user_id: UUID, state: TradingState) -> None:
        """Halt or resume everything of the user."""
        ...

    async def add_login_session(self, session: LoginSession, token_hash: bytes) -> None:
        """Keep a login session by the SHA-256 of its token."""
        ...

    async def login_session_by_token(self, token_hash: bytes) -> tuple[LoginSession, User] | None:
        """Return the session that is not revoked, expired or not, and its user."""
        ...

    async def login_sessions(self, user_id: UUID, now: datetime) -> list[LoginSession]:
        """Return the sessions of the user that are neither revoked nor expired, newest first."""
        ...

    async def touch_login_session(self, session_id: UUID, at: datetime) -> None:
        """Store when the session was last seen."""
        ...

    async def revoke_login_session(self, user_id: UUID, session_id: UUID, at: datetime) -> LoginSession | None:
        """End a session of the user; None where there is no such live session."""
        ...

    async def revoke_other_login_sessions(self, user_id: UUID, keep: UUID | None, at: datetime) -> list[UUID]:
        """End all sessions of the user but one, and return which."""
        ...

    async def revoke_surplus_login_sessions(self, user_id: UUID, keep: int, at: datetime) -> list[UUID]:
        """End all live sessions of the user but the newest `keep`, and return which."""
        ...

    async def revoke_api_keys(self, user_id: UUID, keep: UUID | None, at: datetime) -> list[UUID]:
        """End all keys of the user but one, and return which."""
        ...

    async def delete_ended_credentials(self, ended_before: datetime, most: int) -> int:
        """Delete login sessions and keys that ended before then, at most so many; return how many."""
        ...

    async def add_api_key(self, key: ApiKey, secret_hash: bytes) -> None:
        """Keep an API key by the SHA-256 of its secret."""
        ...

    async def api_key_by_secret(self, secret_hash: bytes) -> tuple[ApiKey, User] | None:
        """Return the key that is not revoked, expired or not, and its user."""
        ...

    async def api_keys(self, user_id: UUID) -> list[ApiKey]:
        """Return the keys of the user that are not revoked, newest first."""
        ...

    async def touch_api_key(self, key_id: UUID, at: datetime) -> None:
        """Store when the key was last used."""
        ...

    async def revoke_api_key(self, user_id: UUID, key_id: UUID, at: datetime) -> ApiKey | None:
        """End a key of the user; None where there is no such live key."""
        ...

    async def valid_credential_ids(self, ids: Sequence[UUID], now: datetime) -> set[UUID]:
        """Return which of these login sessions and API keys are neither revoked nor expired."""
        ...

    async def add_activity(self, activity: Activity) -> None:
        """Store what a user did."""
        ...

    async def activity(self, user_id: UUID, window: KeysetPage) -> list[Activity]:
        """Return what the user did."""
        ...

    async def get_activity(self, user_id: UUID, activity_id: UUID) -> Activity | None:
        """Return one activity of the user."""
        ...


class PasswordHasher(Protocol):
    """Argon2id (RFC 9106), which takes tens of milliseconds on purpose and so runs beside the event loop."""

    threads: int
    """How many it computes at once."""

    def needs_rehash(self, password_hash: str) -> bool:
        """Tell whether it was made with other parameters than a new one would be."""
        ...

    async def hash(self, password: str) -> str:
        """Return the encoded hash with its salt and parameters."""
        ...

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Tell whether the password is right; takes as long where there is no hash, so that time tells nothing."""
        ...


class TokenSource(Protocol):
    """Randomness for credentials."""

    def next_token(self) -> str:
        """Return 256 random bits as URL-safe text."""
        ...
