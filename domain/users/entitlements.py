"""Enforces what a user's plan allows, in the transaction that takes it.

The user's row is locked first, so that of two requests for the last place one is refused; the plan is that of the
moment, not that of the beginning of the request.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from domain.core.errors import ErrorCode, InputError
from domain.model.plans import Entitlement, EntitlementUsage, Plan
from domain.ports.unit_of_work import UnitOfWork
from domain.users.identity_lock import lock_user

_WORDS: Final = {
    Entitlement.TRADING_SESSIONS: ("trading sessions that are live at once", "stop one first"),
    Entitlement.MARKETS: ("markets in live trading sessions", "stop a session, or choose fewer markets"),
    Entitlement.ACTIVE_ORDERS: ("active orders on all accounts", "cancel one first"),
    Entitlement.API_KEYS: ("API keys", "revoke one first"),
    Entitlement.ALERT_RULES: ("alert rules", "delete one first"),
    Entitlement.REPORT_SCHEDULES: ("schedules of reports", "delete one first"),
    Entitlement.OPEN_JOBS: ("jobs that wait or run at once", "wait until one has ended, or cancel one"),
    Entitlement.BACKTEST_CANDLES_PER_DAY: (
        "candles of backtests and optimizations a day (UTC)",
        "ask for fewer candles or trials, or wait until the day is over",
    ),
}
ASK_FOR_MORE: Final = "the operator of this engine can give you another plan"


class PlanLimitReached(InputError):
    """The user's plan doesn't allow so much."""

    def __init__(self, plan: Plan, usage: EntitlementUsage, more: int, path: Sequence[str]) -> None:
        things, remedy = _WORDS[usage.entitlement]
        asked = f", and this needs {more:,} more" if more > 1 else ""
        super().__init__(
            ErrorCode.LIMIT_REACHED,
            f"Your plan {plan.name} allows {usage.limit:,} {things}; you use {usage.used:,}{asked}. To go on, {remedy}"
            f"; {ASK_FOR_MORE}.",
            path,
        )
        self.plan = plan.name
        self.entitlement = usage.entitlement
        self.limit = usage.limit
        self.used = usage.used
        self.resets_at = usage.resets_at


async def require_room(
    transaction: UnitOfWork, user_id: UUID, entitlement: Entitlement, more: int = 1, path: Sequence[str] = ("input",)
) -> None:
    """Raise `PlanLimitReached` unless the user's plan allows so much more of this.

    With 0 it raises if what is used exceeds the plan already. Raises `Unauthenticated` if the user is erased.
    """
    await lock_user(transaction, user_id)
    plan = await transaction.plans.of_user(user_id)
    limit = plan.limit(entitlement)
    if limit is None:
        return
    used = await transaction.plans.used(user_id, entitlement)
    if used + more <= limit:
        return
    usage = next(one for one in await transaction.plans.usage(user_id, plan) if one.entitlement is entitlement)
    raise PlanLimitReached(plan, usage, more, path)


async def use_up(
    transaction: UnitOfWork, user_id: UUID, entitlement: Entitlement, amount: int, path: Sequence[str] = ("input",)
) -> None:
    """Count the use of a daily entitlement; raises as `require_room`."""
    await require_room(transaction, user_id, entitlement, amount, path)
    await transaction.plans.add_use(user_id, entitlement, amount)
