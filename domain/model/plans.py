"""Plans: what their users may have and do at most, how much of it they use, and which user has which plan."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID


class Entitlement(StrEnum):
    """What a plan limits, and of which the use is counted."""

    TRADING_SESSIONS = "TRADING_SESSIONS"
    MARKETS = "MARKETS"
    ACTIVE_ORDERS = "ACTIVE_ORDERS"
    API_KEYS = "API_KEYS"
    OPEN_JOBS = "OPEN_JOBS"
    ALERT_RULES = "ALERT_RULES"
    REPORT_SCHEDULES = "REPORT_SCHEDULES"
    BACKTEST_CANDLES_PER_DAY = "BACKTEST_CANDLES_PER_DAY"
    REQUESTS_PER_MINUTE = "REQUESTS_PER_MINUTE"


@dataclass(frozen=True, slots=True)
class Plan:
    """The limits of the users who have this plan; None for what it doesn't limit.

    The default plan is that of all users who were given none. An archived plan can't be given any more.
    """

    name: str
    max_trading_sessions: int = 20
    max_markets: int = 1_000
    max_active_orders: int = 1_000
    max_subscriptions: int = 5_000
    requests_per_minute: int = 60_000
    max_api_keys: int = 100
    max_open_jobs: int = 20
    max_alert_rules: int = 500
    max_report_schedules: int = 50
    max_running_jobs: int = 2
    max_optimization_trials: int = 1_000
    max_backtest_candles: int = 2_000_000
    backtest_candles_per_day: int | None = None
    history_days: int | None = None
    is_default: bool = False
    archived_at: datetime | None = None

    def limit(self, entitlement: Entitlement) -> int | None:
        """Return how much of it the plan allows; None for any number."""
        return {
            Entitlement.TRADING_SESSIONS: self.max_trading_sessions,
            Entitlement.MARKETS: self.max_markets,
            Entitlement.ACTIVE_ORDERS: self.max_active_orders,
            Entitlement.API_KEYS: self.max_api_keys,
            Entitlement.OPEN_JOBS: self.max_open_jobs,
            Entitlement.ALERT_RULES: self.max_alert_rules,
            Entitlement.REPORT_SCHEDULES: self.max_report_schedules,
            Entitlement.BACKTEST_CANDLES_PER_DAY: self.backtest_candles_per_day,
            Entitlement.REQUESTS_PER_MINUTE: self.requests_per_minute,
        }[entitlement]


STANDARD_PLAN: Final = Plan("standard", is_default=True)
"""The default plan of an engine whose operators have set no other."""


@dataclass(frozen=True, slots=True)
class PlanUsage:
    """A user's plan, and how many orders of the user are active on all accounts, but for one that is being placed."""

    plan: Plan
    active_orders: int


@dataclass(frozen=True, slots=True)
class EntitlementUsage:
    """How much of an entitlement a user has (None: without a limit) and uses; a daily one begins again at a time."""

    entitlement: Entitlement
    limit: int | None
    used: int
    resets_at: datetime | None = None


class PlanChangeSource(StrEnum):
    """Who decided about a user's plan."""

    OPERATOR = "OPERATOR"
    BILLING = "BILLING"


class PlanChangeStatus(StrEnum):
    """What has become of a decision about a user's plan."""

    SCHEDULED = "SCHEDULED"
    IN_FORCE = "IN_FORCE"
    REPLACED = "REPLACED"
    CANCELED = "CANCELED"


@dataclass(frozen=True, slots=True)
class PlanChange:
    """A decision that a user has a plan from a time on: None is the engine's default plan, whichever that is.

    Of the decisions that have taken effect the one that was decided last counts, in whatever order they arrived.
    """

    id: UUID
    user_id: UUID
    plan_name: str | None
    decided_at: datetime
    effective_at: datetime
    source: PlanChangeSource
    reason: str | None = None
    event_id: str | None = None
    """The id of the billing system's event."""

    cancelled_at: datetime | None = None
    status: PlanChangeStatus = PlanChangeStatus.SCHEDULED
