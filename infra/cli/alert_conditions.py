"""Reads what an alert rule is to look at from the options of `r3edge alert`."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from domain.alerts.service import ConditionRequest
from domain.core.money import parse_decimal
from domain.model.alert_rules import AlertDirection
from domain.model.alerts import AlertCondition
from domain.model.events import UserEventKind
from infra.cli.arguments import BadArgument, parse_market, parse_timeframe


@dataclass(frozen=True, slots=True)
class ConditionOptions:
    """The options of a condition, as they are written: one says what is looked at, the others where."""

    price_above: str | None = None
    price_below: str | None = None
    rule: str | None = None
    equity_above: str | None = None
    equity_below: str | None = None
    drawdown: str | None = None
    feed_silent: int | None = None
    session_failed: bool = False
    order_in_doubt: bool = False
    events: Sequence[UserEventKind] = ()
    market: str | None = None
    timeframe: str | None = None
    hysteresis: str | None = None


_NAMES = {
    "price_above": "--price-above",
    "price_below": "--price-below",
    "rule": "--rule",
    "equity_above": "--equity-above",
    "equity_below": "--equity-below",
    "drawdown": "--drawdown",
    "feed_silent": "--feed-silent",
    "session_failed": "--session-failed",
    "order_in_doubt": "--order-in-doubt",
    "events": "--event",
}
_CONDITIONS = {
    "price_above": AlertCondition.PRICE,
    "price_below": AlertCondition.PRICE,
    "rule": AlertCondition.INDICATOR,
    "equity_above": AlertCondition.EQUITY,
    "equity_below": AlertCondition.EQUITY,
    "drawdown": AlertCondition.DRAWDOWN,
    "feed_silent": AlertCondition.FEED,
    "session_failed": AlertCondition.TRADING_SESSION_FAILED,
    "order_in_doubt": AlertCondition.ORDER_IN_DOUBT,
    "events": AlertCondition.EVENT,
}
_NEEDED = {
    AlertCondition.PRICE: {"--market"},
    AlertCondition.INDICATOR: {"--market", "--timeframe"},
    AlertCondition.EQUITY: {"--account"},
    AlertCondition.DRAWDOWN: {"--account"},
    AlertCondition.FEED: {"--market"},
    AlertCondition.TRADING_SESSION_FAILED: set[str](),
    AlertCondition.ORDER_IN_DOUBT: set[str](),
    AlertCondition.EVENT: set[str](),
}
_ALLOWED = {
    AlertCondition.PRICE: {"--hysteresis"},
    AlertCondition.EQUITY: {"--hysteresis"},
    AlertCondition.DRAWDOWN: {"--hysteresis"},
    AlertCondition.TRADING_SESSION_FAILED: {"--session"},
    AlertCondition.ORDER_IN_DOUBT: {"--account"},
    AlertCondition.EVENT: {"--account", "--session"},
}


def condition_request(
    options: ConditionOptions, account_id: UUID | None = None, session_id: UUID | None = None
) -> ConditionRequest | None:
    """Return the condition; None if no option is given. Raises `BadArgument` for options that don't go together."""
    given = [name for name in _NAMES if _is_given(getattr(options, name))]
    places = {
        "--market": options.market,
        "--timeframe": options.timeframe,
        "--account": account_id,
        "--session": session_id,
        "--hysteresis": options.hysteresis,
    }
    written = {name for name, value in places.items() if value is not None}
    if not given and not written:
        return None
    if len(given) != 1:
        raise BadArgument(f"give exactly one of {', '.join(_NAMES.values())}")
    (name,) = given
    condition = _CONDITIONS[name]
    _require_places(_NAMES[name], condition, written)
    level = getattr(options, name) if condition.has_level else None
    return ConditionRequest(
        condition,
        market=None if options.market is None else parse_market(options.market),
        timeframe=None if options.timeframe is None else parse_timeframe(options.timeframe),
        rule=options.rule,
        direction=_direction(name) if condition.has_level else None,
        level=None if level is None else _number(level, _NAMES[name]),
        hysteresis_percent=None if options.hysteresis is None else _number(options.hysteresis, "--hysteresis"),
        account_id=account_id,
        trading_session_id=session_id,
        event_kinds=tuple(options.events),
        after_seconds=options.feed_silent,
    )


def _require_places(name: str, condition: AlertCondition, written: set[str]) -> None:
    needed = _NEEDED[condition]
    if missing := sorted(needed - written):
        raise BadArgument(f"{name} needs {' and '.join(missing)}")
    if surplus := sorted(written - needed - _ALLOWED.get(condition, set())):
        raise BadArgument(f"{name} has no use for {' and '.join(surplus)}")


def _is_given(value: object) -> bool:
    return value is not None and value is not False and value != ()


def _direction(name: str) -> AlertDirection:
    return AlertDirection.BELOW if name.endswith("_below") else AlertDirection.ABOVE


def _number(text: str, option: str) -> Decimal:
    try:
        return parse_decimal(text)
    except ValueError as error:
        raise BadArgument(f"{option} is {text!r}, which {error}") from None
