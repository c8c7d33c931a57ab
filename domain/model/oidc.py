"""Sign-in at OpenID providers (OpenID Connect Core 1.0): attempts, what a provider said, and linked identities."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class SignInProvider:
    """An OpenID provider at which users can sign in; `name` is its part of addresses, `label` is for people."""

    name: str
    label: str
    issuer: str


@dataclass(frozen=True, slots=True)
class OidcAttempt:
    """A sign-in that a client has started and whose browser is at the provider, or has come back.

    `nonce` and `verifier` bind the provider's answer to the attempt. `challenge` is the client's own: the SHA-256 of a
    secret that the client keeps, without which nobody can use what the browser brings back.
    """

    id: UUID
    provider: str
    nonce: str
    verifier: str
    challenge: str
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ExternalIdentity:
    """Who somebody is at a provider. `issuer` and `subject` identify them; an email may change, and be anybody's."""

    provider: str
    issuer: str
    subject: str
    email: str | None = None
    email_verified: bool = False
    name: str | None = None


@dataclass(frozen=True, slots=True)
class OidcResult:
    """An attempt that the provider has answered; `challenge` is the attempt's."""

    attempt_id: UUID
    challenge: str
    identity: ExternalIdentity


@dataclass(frozen=True, slots=True)
class LinkedIdentity:
    """An identity at a provider by which a user signs in."""

    id: UUID
    user_id: UUID
    provider: str
    issuer: str
    subject: str
    email: str | None
    created_at: datetime
    last_used_at: datetime | None = None
