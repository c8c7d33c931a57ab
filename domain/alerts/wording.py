"""What an alert says."""

from domain.core.money import plain
from domain.model.alert_rules import AlertDirection, AlertRule
from domain.model.alerts import AlertCondition, FiredAlert
from domain.model.events import UserEvent
from domain.model.orders import OrderEvent
from domain.model.trading import TradingSession


def message_of(rule: AlertRule, value: str | None) -> str:
    """Return an alert in words, beginning with the rule's name."""
    crossed = "above" if rule.direction is AlertDirection.ABOVE else "below"
    level = "" if rule.level is None else plain(rule.level)
    text = {
        AlertCondition.PRICE: f"{rule.market} is {crossed} {level}, at {value}.",
        AlertCondition.INDICATOR: f"{value} on {rule.market}.",
        AlertCondition.EQUITY: f"The equity is {crossed} {level}, at {value}.",
        AlertCondition.DRAWDOWN: f"The drawdown is {crossed} {level} %, at {value} %.",
        AlertCondition.FEED: f"The feed of {rule.market} isn't live: {value}.",
        AlertCondition.TRADING_SESSION_FAILED: f"A trading session has failed: {value}.",
        AlertCondition.ORDER_IN_DOUBT: f"An order is in doubt: {value}.",
        AlertCondition.EVENT: f"{value}.",
    }[rule.condition]
    return f"{rule.name}: {text}"


def fired_alert(rule: AlertRule, value: str | None) -> FiredAlert:
    """Return what the event of an alert carries."""
    return FiredAlert(rule.id, rule.user_id, rule.name, rule.condition, rule.market, value, rule.channel_ids)


def event_value(event: UserEvent) -> str:
    """Return what happened, in a few words."""
    match event.subject:
        case OrderEvent(order=order):
            return f"{event.kind.value} {order.side.value} {order.market} {order.status.value}"
        case TradingSession():
            reason = event.subject.status_reason or event.subject.status.value
            return f"{event.subject.market}, {reason}".rstrip(".")
        case _:
            return f"{event.kind.value} {event.message or ''}".strip().rstrip(".")
