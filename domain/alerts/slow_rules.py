"""Alert rules on what is polled: events of the users' logs, equity and drawdown, and the state of feeds."""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Protocol
from uuid import UUID

from domain.alerts.rule_book import AlertDependencies, RuleBook
from domain.alerts.triggers import WatchedRule
from domain.alerts.wording import event_value, fired_alert, message_of
from domain.core.errors import Unavailable
from domain.core.money import plain, rounded
from domain.model.alerts import AlertCondition, FiredAlert
from domain.model.events import NewEvent, UserEvent, UserEventKind
from domain.model.markets import FeedState, FeedStatus, MarketSymbol
from domain.model.orders import OrderEvent, OrderEventKind
from domain.model.trading import Position, Signal, TradingSession, TradingSessionStatus
from domain.ports.alert_rules import RuleOutcome
from domain.ports.leases import Lease, StaleLease
from domain.ports.unit_of_work import Database

log = logging.getLogger(__name__)

PAGE: Final = 200
RECENT_EQUITY: Final = timedelta(minutes=5)
"""How old a point of equity may be to alert of."""


class FeedStates(Protocol):
    """The states of markets' feeds."""

    def status(self, market: MarketSymbol) -> FeedStatus | None:
        """Return a feed's state; None if this node doesn't follow it."""
        ...


async def poll_events(dependencies: AlertDependencies, book: RuleBook, lease: Callable[[], Lease]) -> None:
    """Take in the new events of all users who have rules on events, and commit what fires with the place in the log.

    Of each user's log it is one page at a time, which is the shorter the more rules look at it: no user waits long for
    the others.
    """
    by_user: dict[UUID, list[WatchedRule]] = defaultdict(list)
    for watched in book.watched.values():
        if watched.rule.condition.reads_events:
            by_user[watched.rule.user_id].append(watched)
    if not by_user:
        return
    async with dependencies.database.read_only() as reading:
        heads = await reading.alert_rules.heads(list(by_user))
    for user_id, rules in by_user.items():
        if heads.get(user_id, 0) > min(watched.sequence for watched in rules):
            try:
                await _take_events(dependencies, book, rules, lease)
            except (Unavailable, StaleLease):
                raise
            except Exception as error:  # noqa: BLE001  # of one user's events, which must harm no other's rules
                log.warning("the rules on events of user %s could not be evaluated: %r", user_id, error)


async def _take_events(
    dependencies: AlertDependencies, book: RuleBook, rules: Sequence[WatchedRule], lease: Callable[[], Lease]
) -> None:
    database = dependencies.database
    user_id, start = rules[0].rule.user_id, min(watched.sequence for watched in rules)
    page = max(min(PAGE, dependencies.options.event_matches // len(rules)), 1)
    events = await database.event_history().read_after(user_id, start, None, page)
    if not events:
        return
    fired: list[tuple[WatchedRule, UserEvent]] = []
    before = [(watched, watched.last_fired_at, watched.has_fired) for watched in rules]
    last = events[-1].sequence
    try:
        for event in events:
            fired += [
                (watched, event)
                for watched in rules
                if event.sequence > watched.sequence and matches(watched, event) and watched.on_event(event.at)
            ]
        times = Counter(watched.rule.id for watched, _ in fired)
        outcomes = {
            watched.rule.id: RuleOutcome(
                watched.rule.id, watched.rule.revision, None, event.at, fired=times[watched.rule.id]
            )
            for watched, event in fired
        }
        async with database.transaction() as transaction:
            await transaction.leases.check(lease())
            stored = await transaction.alert_rules.save_outcomes(list(outcomes.values()))
            await transaction.alert_rules.save_sequence([watched.rule.id for watched in rules], last)
            alerts = [one for one in fired if one[0].rule.id in stored]
            fired_rules = [watched.rule for watched, _ in alerts]
            held_back = book.cap.held_back(fired_rules)
            transaction.events.append(
                [_alert(*one) for one, beyond in zip(alerts, held_back, strict=True) if not beyond]
            )
    except BaseException:
        for watched, last_fired_at, has_fired in before:
            watched.last_fired_at, watched.has_fired = last_fired_at, has_fired
        raise
    book.cap.count(fired_rules, held_back, dependencies.clock.now())
    for watched in rules:
        watched.sequence = max(watched.sequence, last)
    for watched, _ in fired:
        book.discard_if_done(watched)


def matches(watched: WatchedRule, event: UserEvent) -> bool:
    """Return whether a rule is about an event. An alert of a rule sets off no other one, nor itself."""
    rule, subject = watched.rule, event.subject
    if isinstance(subject, FiredAlert):
        return False
    if rule.account_id is not None and rule.account_id != _account_of(event):
        return False
    if rule.trading_session_id is not None and rule.trading_session_id != _session_of(event):
        return False
    if rule.condition is AlertCondition.TRADING_SESSION_FAILED:
        is_failed = isinstance(subject, TradingSession) and subject.status is TradingSessionStatus.FAILED
        # The event of the status itself, not one of a later change of the session.
        return is_failed and event.message == TradingSessionStatus.FAILED.value
    if rule.condition is AlertCondition.ORDER_IN_DOUBT:
        return isinstance(subject, OrderEvent) and subject.kind is OrderEventKind.IN_DOUBT
    return event.kind in rule.event_kinds


def poll_feeds(states: FeedStates, book: RuleBook, now: datetime) -> None:
    """Look at the feeds that rules are about."""
    for watched in book.of(AlertCondition.FEED):
        rule = watched.rule
        assert rule.market is not None
        status = states.status(rule.market)
        if status is None:
            continue
        down = timedelta(seconds=rule.after_seconds or 0)
        is_down = status.state is not FeedState.LIVE and now - status.since >= down
        if watched.on_condition(is_down, now):
            book.fire(watched, now, f"{status.state.value} since {status.since:%Y-%m-%d %H:%M:%S} UTC")


async def poll_equity(database: Database, book: RuleBook, now: datetime) -> None:
    """Look at the newest points of equity of the accounts that rules are about."""
    rules = [*book.of(AlertCondition.EQUITY), *book.of(AlertCondition.DRAWDOWN)]
    if not rules:
        return
    accounts = {watched.rule.account_id for watched in rules if watched.rule.account_id is not None}
    async with database.read_only() as reading:
        points = {point.subject_id: point for point in await reading.equity.newest(sorted(accounts))}
    for watched in rules:
        point = points.get(watched.rule.account_id) if watched.rule.account_id else None
        if point is None or now - point.at > RECENT_EQUITY:
            continue
        is_drawdown = watched.rule.condition is AlertCondition.DRAWDOWN
        value = Decimal(f"{point.drawdown_percent:.6f}") if is_drawdown else point.equity
        if watched.on_number(value, now):
            book.fire(watched, now, plain(rounded(value)))


def _alert(watched: WatchedRule, event: UserEvent) -> NewEvent:
    rule, value = watched.rule, event_value(event)
    alert = fired_alert(rule, value)
    return NewEvent(rule.user_id, event.at, UserEventKind.ALERT, alert, message_of(rule, value))


def _account_of(event: UserEvent) -> UUID | None:
    match event.subject:
        case OrderEvent(order=order):
            return order.account_id
        case Position() | TradingSession():
            return event.subject.account_id
        case _:
            return getattr(event.subject, "id", None) if event.kind is UserEventKind.ACCOUNT else None


def _session_of(event: UserEvent) -> UUID | None:
    match event.subject:
        case OrderEvent(order=order):
            return order.trading_session_id
        case Position() | Signal():
            return event.subject.trading_session_id
        case TradingSession():
            return event.subject.id
        case _:
            return None
