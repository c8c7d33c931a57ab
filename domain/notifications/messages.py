"""Writes what channels send: JSON for programs, and lines for people.

It has ids, amounts, states and the engine's own words. Sealed secrets are no part of any event.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import singledispatch
from typing import Final
from uuid import UUID

from domain.core.money import plain
from domain.model.alerts import FiredAlert
from domain.model.events import EventCursor, UserEvent, encode_event_cursor
from domain.model.jobs import Job
from domain.model.notifications import ChannelMessage, NotificationChannel
from domain.model.orders import OrderEvent
from domain.model.report_schedules import ScheduledReport
from domain.model.reports import Report
from domain.model.trading import Account, Position, Signal, TradingSession
from domain.model.trading_state import Halt
from domain.model.users import Activity
from domain.notifications.report_summaries import report_summary, shown_amount

EncodeId = Callable[[str, object], str]
"""Returns the id under which the API knows the object of a type with a key."""

ReportUrl = Callable[[UUID], str | None]
"""Returns a signed address of the file with a report's page; None if the engine doesn't know its own address."""

MAX_TEXT: Final = 3_500
"""Characters of a text; Telegram takes 4,096 (Bot API, sendMessage)."""

SHOWN_OF_SUMMARY: Final = 10
"""How many of the newest events a summary shows."""

LONGEST_HEADING: Final = 500
"""Characters of a text that the heading of a summary may take."""

Facts = Mapping[str, object]


def message_id(channel: NotificationChannel, events: Sequence[UserEvent]) -> str:
    """Return the id of the message of these events, oldest first.

    It is that of the first one: a summary that wasn't taken may have grown by its next attempt, and is the same one.
    """
    return f"{channel.id.hex}-{events[0].sequence}"


def no_url(_page_id: UUID) -> str | None:
    """Return no address of a report's page."""
    return None


def message_of(
    channel: NotificationChannel, events: Sequence[UserEvent], encode_id: EncodeId, report_url: ReportUrl = no_url
) -> ChannelMessage:
    """Return one message for these events, oldest first."""
    if len(events) > 1:
        return summary_message(channel, events, encode_id, report_url)
    return event_message(channel, events[0], encode_id, report_url)


def event_message(
    channel: NotificationChannel, event: UserEvent, encode_id: EncodeId, report_url: ReportUrl = no_url
) -> ChannelMessage:
    """Return the message of one event."""
    facts = dict(_facts(event.subject, encode_id)) if event.subject is not None else {}
    if isinstance(event.subject, ScheduledReport) and event.subject.page_id is not None:
        facts["url"] = report_url(event.subject.page_id)
    body: dict[str, object] = {
        "type": event.kind.value,
        "timestamp": _iso(event.at),
        "sequence": str(event.sequence),
        "cursor": encode_event_cursor(EventCursor(event.user_id, event.sequence, event.at)),
        "message": event.message,
        "data": facts,
    }
    line = _line(event, facts)
    return ChannelMessage(message_id(channel, [event]), event.at, _title(event), line, _json(body))


def summary_message(
    channel: NotificationChannel, events: Sequence[UserEvent], encode_id: EncodeId, report_url: ReportUrl = no_url
) -> ChannelMessage:
    """Return one message for events that were held back, oldest first: how many of which kind, and the newest."""
    last = events[-1]
    counts = Counter(event.kind.value for event in events)
    kinds = ", ".join(f"{count} {kind.replace('_', ' ').lower()}" for kind, count in sorted(counts.items()))
    lines = [event_message(channel, event, encode_id, report_url).text for event in events[-SHOWN_OF_SUMMARY:]]
    # Whole lines: a link that is cut opens nothing.
    while len(lines) > 1 and sum(map(len, lines)) > MAX_TEXT - LONGEST_HEADING:
        del lines[0]
    begun = "all of them" if len(events) == len(lines) else f"the newest {len(lines)}"
    text = f"{len(events)} events were held back ({kinds}); {begun}:\n" + "\n".join(lines)
    body: dict[str, object] = {
        "type": "SUMMARY",
        "timestamp": _iso(last.at),
        "sequence": str(last.sequence),
        "counts": counts,
    }
    title = f"{len(events)} events were held back"
    return ChannelMessage(message_id(channel, events), last.at, title, _cut(text), _json(body))


def trial_message(channel: NotificationChannel, trial_id: UUID, at: datetime) -> ChannelMessage:
    """Return the message of the test button."""
    text = f"This is a test of the channel {channel.name}: events arrive here."
    body: dict[str, object] = {
        "type": "TEST",
        "timestamp": _iso(at),
        "sequence": None,
        "cursor": None,
        "message": text,
        "data": {},
    }
    return ChannelMessage(f"{channel.id.hex}-test-{trial_id.hex}", at, "A test", text, _json(body))


def _title(event: UserEvent) -> str:
    if isinstance(event.subject, FiredAlert):
        return f"Alert: {event.subject.name}"
    if isinstance(event.subject, ScheduledReport):
        return f"Report: {event.subject.name}"
    kind = event.kind.value.replace("_", " ").capitalize()
    if isinstance(event.subject, OrderEvent):
        order = event.subject.order
        return f"{kind}: {order.side.value} {order.market}, {order.status.value}"
    market = getattr(event.subject, "market", None)
    return kind if market is None else f"{kind}: {market}"


def _line(event: UserEvent, facts: Facts) -> str:
    # An alert says it all in words; of other events the message is no more than a code.
    known = (f"{name} {value}" for name, value in facts.items() if value is not None and not name.endswith("Id"))
    is_alert = event.subject is None or isinstance(event.subject, FiredAlert)
    words = event.message if is_alert or not facts else ", ".join(known)
    if isinstance(event.subject, ScheduledReport):
        words = report_summary(event.subject, facts.get("url"))
    text = words or event.message or event.kind.value
    return _cut(f"{event.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC  {event.kind.value}: {text}")


@singledispatch
def _facts(_subject: object, _encode_id: EncodeId) -> Facts:
    return {}


@_facts.register
def _order_facts(event: OrderEvent, encode_id: EncodeId) -> Facts:
    order, fill = event.order, event.fill
    facts: dict[str, object] = {
        "orderId": encode_id("Order", order.id),
        "accountId": encode_id("Account", order.account_id),
        "tradingSessionId": _id_or_none(encode_id, "TradingSession", order.trading_session_id),
        "event": event.kind.value,
        "market": str(order.market),
        "side": order.side.value,
        "type": order.type.value,
        "status": order.status.value,
        "quantity": order.quantity,
        "price": order.price,
        "filledQuantity": order.filled_quantity,
        "reason": event.reason or order.reject_reason,
    }
    if fill is not None:
        facts |= {
            "fillId": encode_id("Fill", fill.id),
            "fillPrice": fill.price,
            "fillQuantity": fill.quantity,
            "fee": fill.fee,
            "feeCurrency": fill.fee_currency,
        }
    return facts


@_facts.register
def _position_facts(position: Position, encode_id: EncodeId) -> Facts:
    return {
        "positionId": encode_id("Position", position.id),
        "accountId": encode_id("Account", position.account_id),
        "tradingSessionId": _id_or_none(encode_id, "TradingSession", position.trading_session_id),
        "market": str(position.market),
        "quantity": position.quantity,
        "averagePrice": position.average_price,
        "realizedProfit": position.realized_profit,
        "closed": position.closed_at is not None,
    }


@_facts.register
def _signal_facts(signal: Signal, encode_id: EncodeId) -> Facts:
    return {
        "signalId": encode_id("Signal", signal.id),
        "tradingSessionId": encode_id("TradingSession", signal.trading_session_id),
        "orderId": _id_or_none(encode_id, "Order", signal.order_id),
        "market": None if signal.market is None else str(signal.market),
        "action": signal.action.value,
        "price": signal.price,
        "missed": signal.missed,
        "reason": signal.reason,
    }


@_facts.register
def _session_facts(session: TradingSession, encode_id: EncodeId) -> Facts:
    return {
        "tradingSessionId": encode_id("TradingSession", session.id),
        "accountId": encode_id("Account", session.account_id),
        "market": str(session.market),
        "timeframe": session.timeframe.value,
        "status": session.status.value,
        "tradingState": session.trading_state.value,
        "reason": session.status_reason,
    }


@_facts.register
def _account_facts(account: Account, encode_id: EncodeId) -> Facts:
    return {
        "accountId": encode_id("Account", account.id),
        "name": account.name,
        "venue": account.venue,
        "tradingState": account.trading_state.value,
        "archived": account.archived_at is not None,
    }


@_facts.register
def _halt_facts(halt: Halt, _encode_id: EncodeId) -> Facts:
    return {
        "level": halt.level.value,
        "tradingState": halt.state.value,
        "by": halt.by.value,
        "ended": halt.ended_at is not None,
        "reason": halt.reason,
    }


@_facts.register
def _job_facts(job: Job, encode_id: EncodeId) -> Facts:
    return {"jobId": encode_id("Job", job.id), "kind": job.kind, "status": job.status.value, "message": job.message}


@_facts.register
def _report_facts(report: Report, encode_id: EncodeId) -> Facts:
    return {
        "reportId": encode_id("Report", report.id),
        "scope": report.scope.value,
        "from": _iso(report.from_),
        "to": _iso(report.to),
    }


@_facts.register
def _scheduled_report_facts(report: ScheduledReport, encode_id: EncodeId) -> Facts:
    return {
        "reportScheduleId": encode_id("ReportSchedule", report.id),
        "reportId": encode_id("Report", report.report_id),
        "name": report.name,
        "cadence": report.cadence.value,
        "period": report.period,
        "scope": report.scope.value,
        "from": _iso(report.from_),
        "to": _iso(report.to),
        "leftOut": report.left_out,
        "currency": report.currency,
        "netProfit": shown_amount(report.net_profit),
        "netProfitPercent": report.net_profit_percent,
        "endEquity": shown_amount(report.end_equity),
        "maxDrawdownPercent": report.max_drawdown_percent,
        "roundTrips": report.round_trips,
        "fees": shown_amount(report.fees),
        "error": report.error,
    }


@_facts.register
def _activity_facts(activity: Activity, encode_id: EncodeId) -> Facts:
    subject = None
    if activity.subject_type is not None and activity.subject_id is not None:
        subject = encode_id(activity.subject_type, activity.subject_id)
    return {"action": activity.action, "subjectId": subject, "detail": activity.detail}


@_facts.register
def _alert_facts(alert: FiredAlert, encode_id: EncodeId) -> Facts:
    return {
        "alertRuleId": encode_id("AlertRule", alert.id),
        "name": alert.name,
        "condition": alert.condition.value,
        "market": None if alert.market is None else str(alert.market),
        "value": alert.value,
    }


def _id_or_none(encode_id: EncodeId, type_name: str, key: UUID | None) -> str | None:
    return None if key is None else encode_id(type_name, key)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json(body: Mapping[str, object]) -> bytes:
    # Decimals as text, as in the API: a number in JSON is a double to most readers.
    return json.dumps(body, default=_plain, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def _plain(value: object) -> str:
    return plain(value) if isinstance(value, Decimal) else str(value)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"
