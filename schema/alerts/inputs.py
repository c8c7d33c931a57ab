"""The inputs of the mutations of alert rules."""

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

import strawberry

from domain.alerts.service import AlertChanges, AlertRequest, ConditionRequest
from domain.core.changes import Unchanged
from domain.model.alert_rules import AlertDirection, AlertRepeat
from domain.model.alerts import AlertCondition
from domain.model.events import UserEventKind
from domain.model.markets import MarketSymbol, Timeframe
from schema.common.changes import change, replacement
from schema.common.node import decode_uuid

_HYSTERESIS = (
    "How far back from the level, in percent of it, the number must be before it can cross again, so that one that "
    "hovers around it alerts once. At least 0 and less than 100. By default 0."
)


@strawberry.input(description="That the price of a market crosses a level.")
class PriceAlertInput:
    market: MarketSymbol = strawberry.field(description="The market.")
    direction: AlertDirection = strawberry.field(description="To which side the price crosses.")
    level: Decimal = strawberry.field(description="The level in quote per base, greater than 0.")
    hysteresis_percent: Decimal | None = strawberry.field(default=None, description=_HYSTERESIS)

    def to_domain(self) -> ConditionRequest:
        return ConditionRequest(
            AlertCondition.PRICE,
            market=self.market,
            direction=self.direction,
            level=self.level,
            hysteresis_percent=self.hysteresis_percent,
        )


@strawberry.input(description="That a condition of the rule language becomes true on a closed candle.")
class IndicatorAlertInput:
    market: MarketSymbol = strawberry.field(description="The market.")
    timeframe: Timeframe = strawberry.field(description="The length of the candles.")
    rule: str = strawberry.field(
        description=(
            "The condition, such as `crosses_above(close, sma(close, 50))`, in the language of strategies without "
            "parameters, named parts, the position and the candles of others."
        )
    )

    def to_domain(self) -> ConditionRequest:
        return ConditionRequest(AlertCondition.INDICATOR, market=self.market, timeframe=self.timeframe, rule=self.rule)


@strawberry.input(description="That the equity of an account crosses a level.")
class EquityAlertInput:
    account: strawberry.ID = strawberry.field(description="The id of the account.")
    direction: AlertDirection = strawberry.field(description="To which side the equity crosses.")
    level: Decimal = strawberry.field(description="The level in the account's currency.")
    hysteresis_percent: Decimal | None = strawberry.field(default=None, description=_HYSTERESIS)

    def to_domain(self) -> ConditionRequest:
        return ConditionRequest(
            AlertCondition.EQUITY,
            account_id=decode_uuid(self.account, "Account", ("input", "condition", "equity", "account")),
            direction=self.direction,
            level=self.level,
            hysteresis_percent=self.hysteresis_percent,
        )


@strawberry.input(description="That the drawdown of an account reaches a level.")
class DrawdownAlertInput:
    account: strawberry.ID = strawberry.field(description="The id of the account.")
    level: Decimal = strawberry.field(
        description="The level in percent of the highest time-weighted return, greater than 0 and at most 100."
    )
    hysteresis_percent: Decimal | None = strawberry.field(default=None, description=_HYSTERESIS)

    def to_domain(self) -> ConditionRequest:
        return ConditionRequest(
            AlertCondition.DRAWDOWN,
            account_id=decode_uuid(self.account, "Account", ("input", "condition", "drawdown", "account")),
            direction=AlertDirection.ABOVE,
            level=self.level,
            hysteresis_percent=self.hysteresis_percent,
        )


@strawberry.input(description="That the feed of a market is not live for some time.")
class FeedAlertInput:
    market: MarketSymbol = strawberry.field(
        description=(
            "The market. Its feed runs as long as the rule is active, once there is room for it among the markets that "
            "the server follows for its clients."
        )
    )
    after_seconds: int = strawberry.field(default=60, description="For how long, from 0 to 86,400 seconds.")

    def to_domain(self) -> ConditionRequest:
        return ConditionRequest(AlertCondition.FEED, market=self.market, after_seconds=self.after_seconds)


@strawberry.input(description="That a trading session fails.")
class TradingSessionFailedAlertInput:
    trading_session: strawberry.ID | None = strawberry.field(
        default=None, description="The id of the trading session. By default any of the user's."
    )

    def to_domain(self) -> ConditionRequest:
        path = ("input", "condition", "tradingSessionFailed", "tradingSession")
        session = None if self.trading_session is None else decode_uuid(self.trading_session, "TradingSession", path)
        return ConditionRequest(AlertCondition.TRADING_SESSION_FAILED, trading_session_id=session)


@strawberry.input(description="That it is not known whether the venue has an order.")
class OrderInDoubtAlertInput:
    account: strawberry.ID | None = strawberry.field(
        default=None, description="The id of the account. By default any of the user's."
    )

    def to_domain(self) -> ConditionRequest:
        path = ("input", "condition", "orderInDoubt", "account")
        account = None if self.account is None else decode_uuid(self.account, "Account", path)
        return ConditionRequest(AlertCondition.ORDER_IN_DOUBT, account_id=account)


@strawberry.input(description="That an event of some kinds happens. Alerts of alert rules are left out.")
class EventAlertInput:
    kinds: list[UserEventKind] = strawberry.field(description="The kinds of events, at least one.")
    account: strawberry.ID | None = strawberry.field(
        default=None, description="Only events of the account with this id."
    )
    trading_session: strawberry.ID | None = strawberry.field(
        default=None, description="Only events of the trading session with this id."
    )

    def to_domain(self) -> ConditionRequest:
        path = ("input", "condition", "event")
        return ConditionRequest(
            AlertCondition.EVENT,
            event_kinds=tuple(self.kinds),
            account_id=None if self.account is None else decode_uuid(self.account, "Account", (*path, "account")),
            trading_session_id=(
                None
                if self.trading_session is None
                else decode_uuid(self.trading_session, "TradingSession", (*path, "tradingSession"))
            ),
        )


@strawberry.input(one_of=True, description="What an alert rule is to look at. Give exactly one of the fields.")
class AlertConditionInput:
    price: PriceAlertInput | None = strawberry.field(
        default=strawberry.UNSET, description="The price of a market crosses a level."
    )
    indicator: IndicatorAlertInput | None = strawberry.field(
        default=strawberry.UNSET, description="A condition of the rule language becomes true."
    )
    equity: EquityAlertInput | None = strawberry.field(
        default=strawberry.UNSET, description="The equity of an account crosses a level."
    )
    drawdown: DrawdownAlertInput | None = strawberry.field(
        default=strawberry.UNSET, description="The drawdown of an account reaches a level."
    )
    feed: FeedAlertInput | None = strawberry.field(
        default=strawberry.UNSET, description="The feed of a market is not live."
    )
    trading_session_failed: TradingSessionFailedAlertInput | None = strawberry.field(
        default=strawberry.UNSET, description="A trading session fails."
    )
    order_in_doubt: OrderInDoubtAlertInput | None = strawberry.field(
        default=strawberry.UNSET, description="It is not known whether the venue has an order."
    )
    event: EventAlertInput | None = strawberry.field(
        default=strawberry.UNSET, description="An event of some kinds happens."
    )

    def to_domain(self) -> ConditionRequest:
        choices = (
            self.price,
            self.indicator,
            self.equity,
            self.drawdown,
            self.feed,
            self.trading_session_failed,
            self.order_in_doubt,
            self.event,
        )
        (chosen,) = (choice for choice in choices if choice)
        return chosen.to_domain()


@strawberry.input(description="The alert rule to create.")
class AlertCreateInput:
    name: str = strawberry.field(
        description="The name of the rule, of 1 to 100 printable characters. Its alerts begin with it."
    )
    condition: AlertConditionInput = strawberry.field(description="What the rule is to look at.")
    repeat: AlertRepeat = strawberry.field(
        default=AlertRepeat.ONCE, description="How often the rule alerts. By default once."
    )
    cooldown_seconds: int = strawberry.field(
        default=0,
        description=(
            "The least time between two alerts, from 0 to 2,592,000 seconds. By default 0. A rule that alerts "
            "EACH_TIME leaves at least 10 seconds between them, or 1 second if it looks at events."
        ),
    )
    channels: list[strawberry.ID] | None = strawberry.field(
        default=None,
        description="The ids of the channels that deliver its alerts. By default all that take alerts.",
    )
    idempotency_key: str | None = strawberry.field(
        default=None,
        description=(
            "The key makes it safe to repeat the request: the same key with the same input returns the rule of the "
            "first request. At most 128 characters."
        ),
    )

    def to_domain(self) -> AlertRequest:
        return AlertRequest(
            self.name, self.condition.to_domain(), self.repeat, self.cooldown_seconds, _channels(self.channels)
        )


@strawberry.input(description="The changes of an alert rule. A field that isn't given keeps its value.")
class AlertUpdateInput:
    name: str | None = strawberry.field(
        default=strawberry.UNSET, description="The new name, of 1 to 100 printable characters. It can't be null."
    )
    condition: AlertConditionInput | None = strawberry.field(
        default=strawberry.UNSET,
        description="The new condition, of the same kind. It replaces the present one, and can't be null.",
    )
    repeat: AlertRepeat | None = strawberry.field(
        default=strawberry.UNSET, description="How often the rule alerts. It can't be null."
    )
    cooldown_seconds: int | None = strawberry.field(
        default=strawberry.UNSET,
        description="The least time between two alerts, as in `AlertCreateInput`. It can't be null.",
    )
    channels: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET,
        description="The ids of the channels that deliver its alerts. Null or empty for all that take alerts.",
    )
    enabled: bool | None = strawberry.field(
        default=strawberry.UNSET,
        description="False to disable the rule, true to enable it again, also after it has fired. It can't be null.",
    )

    def to_domain(self) -> AlertChanges:
        channels = change(self.channels)
        return AlertChanges(
            change(self.name),
            replacement(self.condition),
            change(self.repeat),
            change(self.cooldown_seconds),
            channels if isinstance(channels, Unchanged) else _channels(channels),
            change(self.enabled),
        )


def _channels(ids: Sequence[strawberry.ID] | None) -> tuple[UUID, ...]:
    return tuple(decode_uuid(one, "NotificationChannel", ("input", "channels")) for one in ids or ())
