"""Alert rules in the rule language on the closed candles of one market and timeframe.

All rules of a group are evaluated over the same candles at once: what they share, such as an indicator, is computed
once, and so is a condition that many users have.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Final

from domain.alerts.following import keep_following
from domain.alerts.latest import latest_value
from domain.alerts.price_rules import Fire
from domain.alerts.triggers import WatchedRule
from domain.core.backoff import Backoff
from domain.core.clock import Clock
from domain.core.errors import InputErrors
from domain.market_data.feed_limit import FeedReader
from domain.market_data.hub import MarketDataHub
from domain.model.definitions import Sizing, StrategyDefinition
from domain.model.markets import Candle, MarketSymbol, Timeframe
from domain.ports.bus import MessageBus
from domain.ports.market_data import CandleSubscription
from domain.ports.unit_of_work import Database
from domain.strategies.compiled import CompiledStrategy, compile_definition
from domain.strategies.evaluation import Evaluation, RuleName
from domain.trading.candle_buffer import CandleBuffer
from domain.trading.stored_candles import read_newest, request_candles

log = logging.getLogger(__name__)

CandleKey = tuple[MarketSymbol, Timeframe]

SPARE: Final = 10
CLOSING_TIME: Final = timedelta(minutes=1)
"""How long after the next candle's end one may still come."""

_SIZE: Final = Sizing(quote_amount=Decimal(1))
"""What no alert trades by, and every definition has."""


class CandleGroup:
    """The rules on the candles of one market and timeframe."""

    def __init__(
        self, key: CandleKey, database: Database, feed: MarketDataHub, bus: MessageBus, clock: Clock, fire: Fire
    ) -> None:
        self.market, self.timeframe = key
        self._database = database
        self._feed = feed
        self._bus = bus
        self._clock = clock
        self._fire = fire
        self._rules: dict[str, list[WatchedRule]] = {}
        self._compiled: dict[str, CompiledStrategy] = {}
        self._history = CandleBuffer(1)

    @property
    def needed(self) -> int:
        """How many closed candles the longest of the rules needs."""
        return max((compiled.warm_up for compiled in self._compiled.values()), default=0) + 1

    def set_rules(self, rules: Sequence[WatchedRule]) -> None:
        """Evaluate these rules from the next candle on."""
        by_text = defaultdict(list)
        for watched in rules:
            assert watched.rule.rule is not None
            by_text[watched.rule.rule].append(watched)
        self._rules = dict(by_text)
        known = self._compiled
        self._compiled = {}
        for text in by_text:
            compiled = known.get(text) or self._compile(text)
            if compiled is not None:
                self._compiled[text] = compiled

    async def run(self) -> None:
        """Follow the candles until cancelled."""
        await keep_following(self.market, self._follow_closed)

    def load(self, candles: Sequence[Candle]) -> bool:
        """Take in stored candles, oldest first; return whether there are enough."""
        self._history = CandleBuffer(self.needed + SPARE)
        self._history.load(candles)
        return len(self._history) >= self.needed

    def append(self, candle: Candle) -> bool:
        """Take in the candle that closed last; False if it would leave a gap, or too few are there."""
        return (
            len(self._history) + 1 >= self.needed and self._history.newest is not None and self._history.append(candle)
        )

    def on_candle(self, candle: Candle) -> None:
        """Evaluate the rules on the newest candle of the history."""
        now = self._clock.now()
        # One that is followed by a later one is history: it says whether rules are armed, and fires nothing.
        late = self._feed.venue_now(self.market.venue) - candle.close_time
        is_recent = late <= self.timeframe.duration + CLOSING_TIME
        available = len(self._history)
        arrays = self._history.arrays(candle.open_time)
        evaluation = Evaluation(arrays.last(self.needed))
        for text, rules in self._rules.items():
            compiled = self._compiled.get(text)
            if compiled is None or available <= compiled.warm_up:
                continue
            rule = compiled.rules[RuleName.ENTER_LONG]
            holds = latest_value(rule.node, evaluation) == 1.0
            for watched in rules:
                if watched.on_condition(holds, now) and is_recent:
                    self._fire(watched, now, " ".join(text.split()))

    async def _follow_closed(self) -> None:
        async with self._feed.closed_candles(self.market, self.timeframe, FeedReader.USER) as candles:
            await self._follow(candles)

    async def _follow(self, candles: CandleSubscription) -> None:
        while True:
            candle = await anext(candles)
            newest = self._history.newest
            if newest is not None and candle.open_time <= newest.open_time:
                continue
            if not self.append(candle):
                await self._read(candle)
            self.on_candle(candle)

    async def _read(self, candle: Candle) -> None:
        """Read the candles up to one that has closed; missing ones are requested, and not waited for long."""
        pause = Backoff(0.2, 1.0)
        for attempt in range(4):
            stored = await read_newest(self._database, self.market, self.timeframe, self.needed + SPARE)
            known = [one for one in stored or () if one.open_time < candle.open_time]
            if self.load([*known, candle]):
                return
            if not attempt:
                start = candle.open_time - self.needed * self.timeframe.duration
                await request_candles(self._bus, self.market, self.timeframe, start)
            await asyncio.sleep(pause.next_delay())

    def _compile(self, text: str) -> CompiledStrategy | None:
        try:
            return compile_rule(text, self.timeframe)
        except InputErrors as errors:  # stored under an earlier version of the language
            log.warning("an alert rule can't be read any more: %s", errors)
            return None


def compile_rule(text: str, timeframe: Timeframe) -> CompiledStrategy:
    """Return a condition of the rule language ready to be evaluated; raises `InputErrors` with places in the text."""
    return compile_definition(StrategyDefinition(sizing=_SIZE, enter_long=text), timeframe=timeframe)
