"""Alert rules on what is polled: events of the users' logs, equity and drawdown, and the state of feeds."""

import logging
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Protocol

from domain.alerts.rule_book import RuleBook
from domain.core.money import plain, rounded
from domain.model.alerts import AlertCondition
from domain.model.markets import FeedState, FeedStatus, MarketSymbol
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
