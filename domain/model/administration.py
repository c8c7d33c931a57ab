"""What operators see of users: who they are, and how much they have, but not what they trade."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.model.plans import Plan
from domain.model.trading_state import TradingState
from domain.model.users import User, UserRole, UserStatus


@dataclass(frozen=True, slots=True)
class ManagedUser:
    """A user as operators see them."""

    id: UUID
    email: str
    display_name: str | None
    created_at: datetime
    role: UserRole
    plan: Plan
    trading_state: TradingState
    email_verified_at: datetime | None
    two_factor_enabled_at: datetime | None
    disabled_at: datetime | None

    @property
    def status(self) -> UserStatus:
        """Whether the user may use the engine."""
        return UserStatus.ACTIVE if self.disabled_at is None else UserStatus.DISABLED


@dataclass(frozen=True, slots=True)
class UserCounts:
    """How much a user has, and when a client of theirs was last seen, accurate to a minute."""

    last_seen_at: datetime | None
    login_sessions: int
    api_keys: int
    paper_accounts: int
    live_accounts: int
    live_trading_sessions: int
    failed_trading_sessions: int
    active_orders: int
    open_positions: int
    open_jobs: int


@dataclass(frozen=True, slots=True)
class UserFilter:
    """Selects users; None selects any. `email_part` stands anywhere in the email."""

    email_part: str | None = None
    role: UserRole | None = None
    status: UserStatus | None = None
    plan_name: str | None = None


def as_managed(user: User) -> ManagedUser:
    """Return the user as operators see them."""
    return ManagedUser(
        id=user.id,
        email=user.email,
        display_name=user.display_name,
        created_at=user.created_at,
        role=user.role,
        plan=user.plan,
        trading_state=user.trading_state,
        email_verified_at=user.email_verified_at,
        two_factor_enabled_at=user.two_factor_enabled_at,
        disabled_at=user.disabled_at,
    )
