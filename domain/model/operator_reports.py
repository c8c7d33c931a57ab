"""What happened on the engine in a period, over all users: numbers alone, and nothing of any user."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from domain.model.orders import OrderStatus, RiskCode


@dataclass(frozen=True, slots=True)
class UserActivity:
    """How many users there were: registered in the period, active by an action of their own, and with an order."""

    registered: int
    active: int
    trading: int


@dataclass(frozen=True, slots=True)
class OrderLatency:
    """How long orders took from their submission to the first answer of the venue that took them, in milliseconds.

    By the engine's clock, as the order log has it. The percentiles are None if no order was taken.
    """

    orders: int
    median: float | None
    p90: float | None
    p99: float | None
    longest: float | None


@dataclass(frozen=True, slots=True)
class ErrorCounts:
    """What went wrong: trading sessions and jobs that failed, mails given up, and alerts of accounts."""

    trading_sessions: int
    jobs: Mapping[str, int]
    mails: int
    account_alerts: int


@dataclass(frozen=True, slots=True)
class OperatorReport:
    """The numbers of a period, from `from_` to before `to`.

    Orders are those that were created in it, by their status now; `denials` counts the reasons of those that were
    denied, of which an order may have several.
    """

    from_: datetime
    to: datetime
    users: UserActivity
    orders: Mapping[OrderStatus, int]
    denials: Mapping[RiskCode, int]
    fills: int
    latency: OrderLatency
    errors: ErrorCounts
