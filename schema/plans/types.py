"""Plans, how much of them is used, and which user has which."""

from datetime import datetime

import strawberry

from domain.model import plans as domain
from domain.users.entitlements import PlanLimitReached
from schema.common.errors import UserError, error_type
from schema.common.node import Node, instance_of
from schema.common.scalars import Sequence


@strawberry.type(
    description="A plan: what its users may have and do at most. What exceeds a limit that was lowered goes on, and "
    "nothing is added to it."
)
class Plan:
    name: str = strawberry.field(description="The name of the plan.")
    max_trading_sessions: int = strawberry.field(
        description="The greatest number of trading sessions that can be live at the same time, paused ones too. One "
        "more is refused with LIMIT_REACHED."
    )
    max_markets: int = strawberry.field(
        description="The greatest number of different markets that live trading sessions can trade together. More are "
        "refused with LIMIT_REACHED."
    )
    max_active_orders: int = strawberry.field(
        description=(
            "The greatest number of orders that can be active at the same time, on all accounts together. One more is "
            "denied with PLAN_LIMIT, unless it is reduce-only or takes the place of another."
        )
    )
    max_subscriptions: int = strawberry.field(
        description=(
            "The greatest number of subscriptions on one connection. Not enforced yet: the limits of the engine apply."
        )
    )
    requests_per_minute: int = strawberry.field(
        description="The greatest number of requests within one minute. Not enforced yet: the limits of the engine "
        "apply."
    )
    max_api_keys: int = strawberry.field(
        description="The greatest number of valid API keys. One more is refused with LIMIT_REACHED."
    )
    max_alert_rules: int = strawberry.field(
        description="The greatest number of alert rules. One more is refused with LIMIT_REACHED."
    )
    max_report_schedules: int = strawberry.field(
        description="The greatest number of schedules of reports. One more is refused with LIMIT_REACHED."
    )
    max_open_jobs: int = strawberry.field(
        description=(
            "The greatest number of jobs that can wait or run at the same time. One more is refused with LIMIT_REACHED."
        )
    )
    max_running_jobs: int = strawberry.field(
        description=(
            "The greatest number of jobs that run at the same time, counted for reports, backtests and optimizations "
            "each on their own. Further jobs wait."
        )
    )
    max_optimization_trials: int = strawberry.field(
        description="The greatest number of trials of one optimization. More are refused with LIMIT_REACHED."
    )
    max_backtest_candles: int = strawberry.field(
        description=(
            "The greatest number of candles of one backtest: those of all its markets, of the detail timeframe, of "
            "what the rules name, and those that warm up the strategy. More are refused with LIMIT_REACHED."
        )
    )
    backtest_candles_per_day: int | None = strawberry.field(
        description="The greatest number of candles of the backtests and optimizations that are requested on one day "
        "(UTC): those of each backtest, and those of an optimization times its trials. More are refused with "
        "LIMIT_REACHED. Null if there is no limit."
    )
    history_days: int | None = strawberry.field(
        description="How many days back the history of markets can be read: candles, trades, indicators, volume "
        "profiles, books of the past, and the period of a backtest. What begins earlier is refused with "
        "LIMIT_REACHED; a list without a beginning begins there. Callers without a token have that of the default "
        "plan. Null if there is no limit."
    )
    archived_at: datetime | None = strawberry.field(
        description="When the plan was archived: it can't be given to users any more, and those who have it keep it. "
        "Null if it isn't archived."
    )

    @strawberry.field(description="True if this is the plan of all users who were given none.")
    def default(parent: strawberry.Parent[domain.Plan]) -> bool:
        return parent.is_default


@strawberry.type(description="How much of an entitlement of the plan is used.")
class EntitlementUsage:
    entitlement: domain.Entitlement = strawberry.field(description="What is counted.")
    limit: Sequence | None = strawberry.field(
        description="How much the plan allows. Null if the plan has no limit for it."
    )
    used: Sequence = strawberry.field(
        description="How much is used. It can be more than `limit` after the plan has changed."
    )
    resets_at: datetime | None = strawberry.field(
        description="When the count begins again at 0. Null if what is used is given back when it ends."
    )


@strawberry.type(
    description="A decision that a user has a plan from a time on. Of the decisions that have taken effect, the one "
    "that was made last counts."
)
class PlanChange(Node):
    is_type_of = instance_of(domain.PlanChange)

    plan_name: str | None = strawberry.field(
        name="plan", description="The name of the plan. Null if it is the default plan, whichever that is then."
    )
    decided_at: datetime = strawberry.field(
        description="When it was decided. For a change of the billing system: the time of its event."
    )
    effective_at: datetime = strawberry.field(description="From when on the user has the plan.")
    source: domain.PlanChangeSource = strawberry.field(description="Who decided.")
    reason: str | None = strawberry.field(description="The reason that was given. Null if there was none.")
    status: domain.PlanChangeStatus = strawberry.field(description="What has become of it.")


@error_type(PlanLimitReached)
@strawberry.type(description="The plan of the user doesn't allow so much. Its code is LIMIT_REACHED.")
class PlanLimitError(UserError):
    plan: str = strawberry.field(description="The name of the plan.")
    entitlement: domain.Entitlement = strawberry.field(description="What the plan limits.")
    limit: Sequence = strawberry.field(description="How much the plan allows.")
    used: Sequence = strawberry.field(description="How much is used, without what was requested.")
    resets_at: datetime | None = strawberry.field(
        description="When the count begins again at 0. Null if what is used is given back when it ends."
    )
