"""The inputs of the mutations of plans."""

from datetime import datetime

import strawberry

from domain.core.changes import Changes
from domain.model.plans import Plan
from domain.users.plans import PlanRequest
from schema.common.changes import given


def _limit(description: str) -> int:
    return strawberry.field(  # type: ignore[no-any-return]  # the field of an input
        default=strawberry.UNSET, description=f"{description} From 0 to 2,147,483,647."
    )


@strawberry.input(description="Limits of a plan. One that isn't given keeps its value.")
class PlanLimitsInput:
    max_trading_sessions: int | None = _limit("The greatest number of live trading sessions.")
    max_markets: int | None = _limit("The greatest number of different markets of live trading sessions.")
    max_active_orders: int | None = _limit("The greatest number of active orders.")
    max_subscriptions: int | None = _limit("The greatest number of subscriptions at the same time.")
    requests_per_minute: int | None = strawberry.field(
        default=strawberry.UNSET, description="The greatest number of requests a minute. From 1 to 2,147,483,647."
    )
    max_api_keys: int | None = _limit("The greatest number of valid API keys.")
    max_alert_rules: int | None = _limit("The greatest number of alert rules.")
    max_report_schedules: int | None = _limit("The greatest number of schedules of reports.")
    max_open_jobs: int | None = _limit("The greatest number of jobs that wait or run.")
    max_running_jobs: int | None = _limit("The greatest number of jobs of a kind that run.")
    max_optimization_trials: int | None = _limit("The greatest number of trials of an optimization.")
    max_backtest_candles: int | None = _limit("The greatest number of candles of one backtest.")
    backtest_candles_per_day: int | None = _limit(
        "The greatest number of candles of the backtests and optimizations of a day. Null removes the limit."
    )
    history_days: int | None = strawberry.field(
        default=strawberry.UNSET,
        description="How many days back the history of markets can be read. From 1 to 36,500. Null removes the limit.",
    )

    def to_domain(self) -> Changes[Plan]:
        """Return the limits that were given."""
        values = given(self)
        return Changes(frozenset(values), Plan("", **values))  # type: ignore[arg-type]  # null is refused by the service


@strawberry.input(description="The plan to create.")
class PlanCreateInput:
    name: str = strawberry.field(
        description="The name of the plan, which it keeps for ever: 1 to 40 of the characters a to z, 0 to 9 and `-`."
    )
    limits: PlanLimitsInput | None = strawberry.field(
        default=None, description="The limits. One that isn't given is that of a new engine's default plan."
    )
    default: bool = strawberry.field(
        default=False, description="True to make it the default plan, that of all users who were given none."
    )


@strawberry.input(description="The changes of a plan.")
class PlanUpdateInput:
    name: str = strawberry.field(description="The name of the plan.")
    limits: PlanLimitsInput | None = strawberry.field(default=None, description="The limits to change.")
    default: bool = strawberry.field(
        default=False,
        description="True to make it the default plan, that of all users who were given none. To take that away, make "
        "another plan the default.",
    )


@strawberry.input(description="The plan that a user is to have.")
class UserPlanChangeInput:
    user: strawberry.ID = strawberry.field(description="The id of a `ManagedUser`, or of its `User`.")
    plan: str | None = strawberry.field(
        default=None, description="The name of the plan. Null for the default plan, whichever that is."
    )
    effective_at: datetime | None = strawberry.field(
        default=None, description="From when on the user has the plan, within the next ten years. By default from now."
    )
    reason: str | None = strawberry.field(
        default=None, description="The reason, of at most 500 characters. The user can read it."
    )

    def to_domain(self) -> PlanRequest:
        """Return the request."""
        return PlanRequest(self.plan, self.effective_at, self.reason)


def limit_changes(limits: PlanLimitsInput | None) -> Changes[Plan]:
    """Return the changes of an input; none if it isn't given."""
    return Changes(frozenset(), Plan("")) if limits is None else limits.to_domain()
