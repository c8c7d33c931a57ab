"""The ports of sign-ins at OpenID providers: their store, and the providers themselves."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.model.oidc import ExternalIdentity, LinkedIdentity, OidcAttempt, OidcResult, SignInProvider


class OidcRepository(Protocol):
    """Stores attempts to sign in, found by hashes of their secrets, and linked identities."""

    async def add_attempt(self, attempt: OidcAttempt, state_hash: bytes) -> None:
        """Insert an attempt."""
        ...

    async def take_attempt(self, state_hash: bytes, now: datetime) -> OidcAttempt | None:
        """Return the attempt of a state, unless it has expired; a second time the state finds nothing."""
        ...

    async def add_result(
        self, attempt_id: UUID, identity: ExternalIdentity, code_hash: bytes, expires_at: datetime
    ) -> None:
        """Store what the provider answered, under the hash of a code for the client."""
        ...

    async def find_result(self, code_hash: bytes, now: datetime) -> OidcResult | None:
        """Return the result of a code, unless it has expired."""
        ...

    async def take_result(self, attempt_id: UUID) -> bool:
        """Delete an attempt with its result; of two transactions that take the same one gets False."""
        ...

    async def delete_expired(self, now: datetime, limit: int) -> int:
        """Delete at most `limit` attempts that have expired; return how many."""
        ...

    async def find(self, issuer: str, subject: str) -> LinkedIdentity | None:
        """Return the linked identity, whose user isn't erased."""
        ...

    async def add(self, identity: LinkedIdentity) -> bool:
        """Insert a linked identity; return False if it is linked already, to whomever."""
        ...

    async def get(self, user_id: UUID, identity_id: UUID) -> LinkedIdentity | None:
        """Return a linked identity of the user."""
        ...

    async def list_of_user(self, user_id: UUID) -> list[LinkedIdentity]:
        """Return the user's linked identities."""
        ...

    async def touch(self, identity_id: UUID, email: str | None, at: datetime) -> None:
        """Store that the user signed in by the identity, and which email it has now."""
        ...

    async def remove(self, user_id: UUID, identity_id: UUID) -> bool:
        """Delete a linked identity of the user; return False if there is none."""
        ...

    async def remove_all(self, user_id: UUID) -> None:
        """Delete all linked identities of the user."""
        ...


class OidcRejected(Exception):
    """The provider refused the sign-in, or what it said can't be believed; the message is for the log."""


class OidcClient(Protocol):
    """Speaks to the OpenID providers of the settings. Every method raises `Unavailable` if one can't be reached."""

    @property
    def providers(self) -> Mapping[str, SignInProvider]:
        """The providers by name."""
        ...

    async def authorization_url(self, attempt: OidcAttempt, state: str) -> str:
        """Return the address at the provider that the user's browser is to open."""
        ...

    async def redeem(self, attempt: OidcAttempt, code: str) -> ExternalIdentity:
        """Return who the provider says has signed in, for the authorization code that the browser brought.

        Raises `OidcRejected` unless the ID token is signed by the provider and was made for this attempt.
        """
        ...
