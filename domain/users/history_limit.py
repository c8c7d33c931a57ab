"""How far back a plan lets its users read the history of markets."""

from datetime import datetime, timedelta

from domain.core.errors import FaultCode, RequestFault
from domain.model.plans import Plan
from domain.users.entitlements import ASK_FOR_MORE


class HistoryLimitReached(RequestFault):
    """The user's plan doesn't reach so far back."""

    def __init__(self, plan: Plan, earliest: datetime) -> None:
        super().__init__(FaultCode.LIMIT_REACHED, beyond_history(plan, earliest))
        assert plan.history_days is not None
        self.extensions |= {
            "entitlement": "HISTORY_DAYS",
            "limit": plan.history_days,
            "earliest": f"{earliest:%Y-%m-%dT%H:%M:%SZ}",
            "plan": plan.name,
        }


def earliest_history(plan: Plan, now: datetime) -> datetime | None:
    """Return the earliest time of which a user with this plan may read; None if there is no limit."""
    return None if plan.history_days is None else now - timedelta(days=plan.history_days)


def readable_start(plan: Plan, start: datetime | None, now: datetime) -> datetime | None:
    """Return from when on to read: `start`, or the earliest time if it is None; raises `HistoryLimitReached`."""
    earliest = earliest_history(plan, now)
    if earliest is None or start is None:
        return start or earliest
    if start < earliest:
        raise HistoryLimitReached(plan, earliest)
    return start


def beyond_history(plan: Plan, earliest: datetime) -> str:
    """Return in words that a plan doesn't reach so far back."""
    return (
        f"The plan {plan.name} reaches {plan.history_days:,} days back, to {earliest:%Y-%m-%d %H:%M:%S} UTC; begin "
        f"then or later. To read more, {ASK_FOR_MORE}."
    )
