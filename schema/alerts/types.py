"""Alert rules, as they are now and at an alert."""

from datetime import datetime
from decimal import Decimal

import strawberry

from domain.model import alert_rules, alerts
from domain.model.alert_rules import AlertDirection, AlertRepeat, AlertRuleStatus
from domain.model.alerts import AlertCondition
from domain.model.events import UserEventKind
from domain.model.markets import Timeframe
from resolvers import alerts as resolver
from schema.accounts.types import Account
from schema.common.node import Node, instance_of
from schema.common.pagination import connection
from schema.common.types import Info
from schema.markets.types import Market
from schema.notifications.types import NotificationChannel
from schema.trading.types import TradingSession

Parent = strawberry.Parent[alert_rules.AlertRule]
Fired = strawberry.Parent[alerts.FiredAlert]


@strawberry.type(
    description=(
        "What the user wants to be alerted of. When it happens, there is an event of the kind ALERT, which the user's "
        "notification channels deliver."
    )
)
class AlertRule(Node):
    is_type_of = instance_of(alert_rules.AlertRule)

    name: str = strawberry.field(description="The name that the user gave the rule. Its alerts begin with it.")
    condition: AlertCondition = strawberry.field(description="What the rule looks at.")
    repeat: AlertRepeat = strawberry.field(description="How often the rule alerts.")
    cooldown_seconds: int = strawberry.field(
        description=(
            "The least time between two alerts, in seconds. A rule that alerts EACH_TIME leaves at least 10 seconds "
            "between them, or 1 second if it looks at events."
        )
    )
    status: AlertRuleStatus = strawberry.field(description="Whether the rule is looked at.")
    created_at: datetime = strawberry.field(description="When the rule was created.")
    timeframe: Timeframe | None = strawberry.field(
        description="The length of the candles of an INDICATOR rule. Null for other rules."
    )
    rule: str | None = strawberry.field(
        description="The condition of an INDICATOR rule, in the rule language. Null for other rules."
    )
    direction: AlertDirection | None = strawberry.field(
        description="To which side a PRICE, EQUITY or DRAWDOWN rule looks. Null for other rules."
    )
    level: Decimal | None = strawberry.field(
        description=(
            "The level of a PRICE rule in quote per base, of an EQUITY rule in the account's currency, of a DRAWDOWN "
            "rule in percent. Null for other rules."
        )
    )
    hysteresis_percent: Decimal | None = strawberry.field(
        description="How far back from the level, in percent of it, the number must be before it can cross again."
    )
    event_kinds: list[UserEventKind] = strawberry.field(
        description="The kinds of events of an EVENT rule. Empty for other rules."
    )
    after_seconds: int | None = strawberry.field(
        description="For how long a feed must not be live. Null for rules other than FEED."
    )
    fired_count: int = strawberry.field(description="The number of alerts so far.")
    last_fired_at: datetime | None = strawberry.field(description="When the rule last alerted. Null if it never has.")

    @strawberry.field(graphql_type=Market | None, description="The market. Null for a rule that has none.")
    async def market(parent: Parent, info: Info) -> object:
        return resolver.market(info.context, parent.market)

    @strawberry.field(
        graphql_type=Account | None, description="The account that the rule looks at. Null if it looks at all."
    )
    async def account(parent: Parent, info: Info) -> object:
        return await resolver.account(info.context, parent)

    @strawberry.field(
        graphql_type=TradingSession | None,
        description="The trading session that the rule looks at. Null if it looks at all.",
    )
    async def trading_session(parent: Parent, info: Info) -> object:
        return await resolver.trading_session(info.context, parent)

    @strawberry.field(
        graphql_type=list[NotificationChannel] | None,
        description="The channels that deliver its alerts. Empty if all do that take alerts.",
    )
    async def channels(parent: Parent, info: Info) -> object:
        return await resolver.channels(info.context, parent)


AlertRuleConnection = connection(AlertRule, "alert rules")


@strawberry.type(description="That an alert rule has fired, as it was at that time.")
class FiredAlertState:
    is_type_of = instance_of(alerts.FiredAlert)

    name: str = strawberry.field(description="The name of the rule.")
    condition: AlertCondition = strawberry.field(description="What the rule looks at.")
    value: str | None = strawberry.field(
        description="What made the rule fire, such as the price. Null if there is nothing to add."
    )

    @strawberry.field(description="The id of the alert rule.")
    def id(parent: Fired) -> strawberry.ID:
        return strawberry.ID(resolver.rule_id(parent))

    @strawberry.field(graphql_type=AlertRule | None, description="The alert rule as it is now. Null if it was deleted.")
    async def rule(parent: Fired, info: Info) -> object:
        return await resolver.rule_of(info.context, parent)
