"""Users, their credentials, and their activity."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from domain.model.plans import STANDARD_PLAN, Plan
from domain.model.trading_state import TradingState


class UserRole(StrEnum):
    """Whether a user may also operate the engine."""

    USER = "USER"
    OPERATOR = "OPERATOR"


class UserStatus(StrEnum):
    """Whether a user may use the engine; an operator disables and enables."""

    ACTIVE = "ACTIVE"
    DISABLED = "DISABLED"


class ActivityAuthor(StrEnum):
    """Who did something: the user, an operator, somebody at the machine by the command line, or the billing system."""

    SELF = "SELF"
    OPERATOR = "OPERATOR"
    COMMAND_LINE = "COMMAND_LINE"
    BILLING = "BILLING"


class ApiScope(StrEnum):
    """READ reads; TRADE also places orders and runs strategies; ADMIN also manages keys, credentials and the engine."""

    READ = "READ"
    TRADE = "TRADE"
    ADMIN = "ADMIN"


ALL_SCOPES = frozenset(ApiScope)


@dataclass(frozen=True, slots=True)
class User:
    """A user; `email` is lower case and unique."""

    id: UUID
    email: str
    display_name: str | None
    created_at: datetime
    role: UserRole
    trading_state: TradingState
    email_verified_at: datetime | None = None
    """When the user proved that the email is theirs; None if they haven't."""

    two_factor_enabled_at: datetime | None = None
    time_zone: str = "UTC"
    """A name of the IANA time zone database, in which times are shown to the user."""

    locale: str = "en"
    """A language tag (BCP 47), such as en or de-AT."""

    report_currency: str | None = None
    notify_sign_in: bool = True
    """Whether a sign-in from a device that is new causes a mail."""

    plan: Plan = STANDARD_PLAN
    """The plan that the user has at present."""

    disabled_at: datetime | None = None
    """When an operator disabled the user; None if the user isn't disabled."""

    @property
    def status(self) -> UserStatus:
        """Whether the user may use the engine."""
        return UserStatus.ACTIVE if self.disabled_at is None else UserStatus.DISABLED


@dataclass(frozen=True, slots=True)
class TwoFactor:
    """A user's second factor: the sealed secret of an authenticator app; it counts once it is enabled.

    `last_step` is the newest time step of which a code was used: codes of it and of earlier ones are refused.
    `failures` counts wrong codes since `failures_since`.
    """

    user_id: UUID
    sealed_secret: bytes
    created_at: datetime
    enabled_at: datetime | None = None
    last_step: int | None = None
    failures: int = 0
    failures_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """From where a client signs in: its network address, and the program that it says it is (`user_agent`)."""

    address: str
    user_agent: str | None = None


@dataclass(frozen=True, slots=True)
class LoginSession:
    """A signed-in client; only the hash of its token is stored. `device` is None if it wasn't recorded."""

    id: UUID
    user_id: UUID
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    device: Device | None = None
    provider: str | None = None
    """The name of the OpenID provider that proved who signed in; None if the password did."""

    @property
    def address(self) -> str | None:
        """The network address from which the client signed in."""
        return self.device.address if self.device else None

    @property
    def user_agent(self) -> str | None:
        """The program that the client said it is."""
        return self.device.user_agent if self.device else None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A long-lived credential; its secret was shown once, and only its hash is stored."""

    id: UUID
    user_id: UUID
    name: str
    scopes: frozenset[ApiScope]
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    requests_per_minute: int | None = None
    """How many requests a minute it was made for; None for as many as the plan allows."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who sends a request, and with what: a login session (all scopes) or an API key (its scopes)."""

    user: User
    credential_id: UUID
    scopes: frozenset[ApiScope]
    expires_at: datetime | None
    is_login_session: bool
    requests_per_minute: int | None = None
    """The limit of the API key, if it has one."""

    def may(self, scope: ApiScope) -> bool:
        """Return whether the credential has `scope`; ADMIN includes TRADE, and TRADE includes READ."""
        order = (ApiScope.READ, ApiScope.TRADE, ApiScope.ADMIN)
        return any(order.index(held) >= order.index(scope) for held in self.scopes)


@dataclass(frozen=True, slots=True)
class Activity:
    """Something that a user did, or that was done to the user.

    `action` is a mutation's name (`userLogin`), `subject_…` what it was done to. `author` says who did it; if it was an
    operator, `operator_id` is which one. `reason` is what an operator gave as the reason.
    """

    id: UUID
    user_id: UUID
    at: datetime
    action: str
    subject_type: str | None = None
    subject_id: str | None = None
    detail: str | None = None
    author: ActivityAuthor = ActivityAuthor.SELF
    operator_id: UUID | None = None
    reason: str | None = None
