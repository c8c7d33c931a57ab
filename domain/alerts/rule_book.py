"""The alert rules that this node looks at, grouped by what they look at, and what fires of them."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Protocol
from uuid import UUID

from domain.alerts.candle_rules import CandleGroup, CandleKey
from domain.alerts.firings import ALERTS_PER_MINUTE, AlertCap, Firing, FiringQueue
from domain.alerts.following import keep_following
from domain.alerts.price_rules import PriceGroup
from domain.alerts.triggers import WatchedRule, watch
from domain.core.background import cancel_and_wait
from domain.core.clock import Clock
from domain.core.wakeup import Wakeup
from domain.market_data.feed_limit import FeedReader
from domain.market_data.hub import MarketDataHub
from domain.model.alert_rules import AlertRepeat, AlertRule
from domain.model.alerts import AlertCondition
from domain.model.events import NewEvent
from domain.model.markets import MarketSymbol
from domain.ports.bus import MessageBus
from domain.ports.unit_of_work import Database


@dataclass(frozen=True, slots=True)
class EvaluatorOptions:
    """How often rules are looked at that nothing wakes, and how many firings are committed at once.

    A user gets `alerts_per_minute` of rules that repeat. Of a user's log so many events are taken in one transaction
    that at most `event_matches` times a rule is compared with an event. A poll waits for logs for `reading_seconds` and
    leaves those that take longer to a later one. A log is read again `archive_pause_seconds` after the archive that has
    a part of it could not be reached.
    """

    claim_seconds: float = 2.0
    reload_seconds: float = 30.0
    poll_seconds: float = 1.0
    equity_seconds: float = 5.0
    at_once: int = 500
    alerts_per_minute: int = ALERTS_PER_MINUTE
    event_matches: int = 5_000
    reading_seconds: float = 0.5
    archive_pause_seconds: float = 30.0


@dataclass(slots=True)
class AlertDependencies:
    """What the evaluation of rules works with."""

    database: Database
    feed: MarketDataHub
    bus: MessageBus
    clock: Clock
    holder: str
    options: EvaluatorOptions = field(default_factory=EvaluatorOptions)


class _Follower(Protocol):
    async def run(self) -> None:
        """Follow until cancelled."""
        ...


class FeedWatch:
    """Keeps the feed of a market running, so that its state is known."""

    def __init__(self, market: MarketSymbol, feed: MarketDataHub) -> None:
        self._market = market
        self._feed = feed

    async def run(self) -> None:
        """Follow the market until cancelled."""
        await keep_following(self._market, self._follow)

    async def _follow(self) -> None:
        async with self._feed.subscribe(self._market, FeedReader.USER):
            await asyncio.Event().wait()


class RuleBook:
    """The active rules that this node looks at, by what they look at."""

    def __init__(self, dependencies: AlertDependencies) -> None:
        self.watched: dict[UUID, WatchedRule] = {}
        self._dependencies = dependencies
        self._prices: dict[MarketSymbol, PriceGroup] = {}
        self._candles: dict[CandleKey, CandleGroup] = {}
        self._tasks: dict[object, asyncio.Task[None]] = {}
        self.firings = FiringQueue()
        self.cap = AlertCap(dependencies.options.alerts_per_minute)
        self.notices: list[NewEvent] = []
        self.wakeup = Wakeup()

    def of(self, condition: AlertCondition) -> list[WatchedRule]:
        """Return the rules with a condition."""
        return [watched for watched in self.watched.values() if watched.rule.condition is condition]

    def replace(self, rules: Sequence[AlertRule], user_id: UUID | None = None) -> None:
        """Look at these rules in the place of all earlier ones, or of those of one user."""
        now = self._dependencies.clock.now()
        kept = {} if user_id is None else {key: one for key, one in self.watched.items() if one.rule.user_id != user_id}
        for rule in rules:
            known = self.watched.get(rule.id)
            is_known = known is not None and known.rule.revision == rule.revision
            kept[rule.id] = known if known is not None and is_known else watch(rule, now)
        self.watched = kept
        self._regroup()

    def fire(self, watched: WatchedRule, at: datetime, value: str | None) -> None:
        """Have it committed soon that a rule fires."""
        self.firings.add(Firing(watched, at, value))
        self.wakeup.set()

    def moved(self, most: int) -> list[WatchedRule]:
        """Return rules that are armed, or aren't any more, other than it is stored.

        One that fires is stored with its alert: were it stored before, an alert that a crash prevents would be lost.
        """
        moved = (one for one in self.watched.values() if one.is_armed != one.stored_armed)
        return list(islice((one for one in moved if not self.firings.has(one.rule)), most))

    def forget_readers_of_events(self) -> None:
        """Look no more at the rules on events until they are read again, with their places in the log."""
        self.watched = {key: one for key, one in self.watched.items() if not one.rule.condition.reads_events}

    def discard_if_done(self, watched: WatchedRule) -> None:
        """Look no more at a rule that alerts once and has."""
        if watched.rule.repeat is AlertRepeat.ONCE and watched.has_fired:
            self.discard(watched)

    def discard(self, watched: WatchedRule) -> None:
        """Look at a rule no more: it fires once, or was changed. What it was changed to goes on."""
        if self.watched.get(watched.rule.id) is watched:
            del self.watched[watched.rule.id]
            self._regroup()

    async def close(self) -> None:
        """Stop looking."""
        tasks, self._tasks = list(self._tasks.values()), {}
        await cancel_and_wait(*tasks)

    def _regroup(self) -> None:
        prices, candles = defaultdict(list), defaultdict(list)
        for watched in self.watched.values():
            rule = watched.rule
            if rule.condition is AlertCondition.PRICE and rule.market is not None:
                prices[rule.market].append(watched)
            elif rule.condition is AlertCondition.INDICATOR and rule.market is not None and rule.timeframe is not None:
                candles[rule.market, rule.timeframe].append(watched)
        dependencies = self._dependencies
        feed, clock = dependencies.feed, dependencies.clock
        for market, rules in prices.items():
            if market not in self._prices:
                self._prices[market] = PriceGroup(market, feed, clock, self.fire)
            self._prices[market].rules = rules
        for key, rules in candles.items():
            if key not in self._candles:
                self._candles[key] = CandleGroup(key, dependencies.database, feed, dependencies.bus, clock, self.fire)
            self._candles[key].set_rules(rules)
        self._prices = {market: group for market, group in self._prices.items() if market in prices}
        self._candles = {key: group for key, group in self._candles.items() if key in candles}
        self._start_and_stop()

    def _start_and_stop(self) -> None:
        groups: dict[object, _Follower] = {}
        groups.update(self._prices.items())
        groups.update(self._candles.items())
        feeds = {one.rule.market for one in self.of(AlertCondition.FEED) if one.rule.market is not None}
        groups |= {("feed", market): FeedWatch(market, self._dependencies.feed) for market in feeds}
        for key in self._tasks.keys() - groups.keys():
            self._tasks.pop(key).cancel()
        for key in groups.keys() - self._tasks.keys():
            self._tasks[key] = asyncio.create_task(groups[key].run(), name=f"alerts:{key}")
