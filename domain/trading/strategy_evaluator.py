"""Evaluates a strategy on a market and timeframe, each closed candle once, for all trading sessions that follow it."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NoReturn
from uuid import UUID

from domain.core.background import TaskGroup
from domain.core.backoff import Backoff
from domain.indicators.candle_arrays import CandleArrays, SeriesKey
from domain.model.markets import Candle, MarketSymbol, Timeframe
from domain.ports.market_data import CandleSubscription
from domain.strategies.average_range import average_true_range
from domain.strategies.compiled import CompiledStrategy
from domain.strategies.evaluation import RuleName
from domain.strategies.expressions import PositionFacts
from domain.trading.candle_buffer import CandleBuffer
from domain.trading.dependencies import TradingDependencies
from domain.trading.other_candles import OtherCandles
from domain.trading.stored_candles import read_newest, request_candles

CLOSING_TIME = timedelta(seconds=3)
"""How long after its end a candle may take to be stored."""

FIRST_POLL_SECONDS = 0.5
SLOWEST_POLL_SECONDS = 2.0
REQUEST_SECONDS = 2.0
MAX_MISSED = 500
"""How many candles that closed while a trading session did not run it acts on one by one."""


@dataclass(frozen=True, slots=True)
class EvaluationKey:
    """What makes two evaluations the same: the strategy version with its parameters, by name, and what it runs on.

    `needs_atr` is whether the size or a distance of the trading session is measured in ATR(14).
    """

    strategy_version_id: UUID
    parameters: tuple[tuple[str, Decimal], ...]
    needs_atr: bool
    market: MarketSymbol
    timeframe: Timeframe


@dataclass(frozen=True, slots=True)
class CandleEvaluation:
    """What a strategy makes of a closed candle; `atr` is ATR(14), in quote per base, None if it isn't needed or known.

    `adds` are the further entries whose rule is true, by index, with the reason of each. The reasons of the others are
    empty if their rule is false.
    """

    candle: Candle
    entry_reason: str = ""
    exit_reason: str = ""
    adds: Mapping[int, str] = field(default_factory=dict)
    atr: Decimal | None = None

    @property
    def enters(self) -> bool:
        """Whether the rule to enter is true."""
        return bool(self.entry_reason)

    @property
    def exits(self) -> bool:
        """Whether the rule to exit is true."""
        return bool(self.exit_reason)

    @property
    def is_quiet(self) -> bool:
        """Whether no rule is true, so that no trading session has anything to do."""
        return not (self.entry_reason or self.exit_reason or self.adds)


def evaluate_candle(
    compiled: CompiledStrategy,
    history: CandleBuffer,
    candle: Candle,
    position: PositionFacts | None = None,
    *,
    atr: bool,
    others: Mapping[SeriesKey, CandleArrays] | None = None,
) -> CandleEvaluation:
    """Return what the strategy makes of a candle of the history, with the position as it is when that has closed.

    `others` are the other candles that the rules name; those that closed later make no difference.
    """
    arrays = replace(history.arrays(candle.open_time), others=others or {})
    newest = compiled.newest(arrays, position)
    signals = newest.signals
    return CandleEvaluation(
        candle,
        newest.reason(RuleName.ENTER_LONG) if signals.enter_long else "",
        newest.reason(RuleName.EXIT_LONG) if signals.exit_long else "",
        {index: newest.add_reason(index) for index in sorted(newest.adds)},
        average_true_range(arrays) if atr else None,
    )


class StrategyEvaluator:
    """Holds the closed candles that a strategy needs, without a gap, and what it makes of each.

    It waits for none of those that follow it: they read `history`, and `evaluate` a candle, at their own pace.
    `missing` says which candles it waits for: None once they are all there, empty before it has looked.
    """

    def __init__(self, key: EvaluationKey, compiled: CompiledStrategy, dependencies: TradingDependencies) -> None:
        self.key = key
        self.compiled = compiled
        self.history = CandleBuffer(self.needed + MAX_MISSED)
        self.missing: str | None = ""
        self.error: Exception | None = None
        self._dependencies = dependencies
        self._others = {
            key: OtherCandles(
                MarketSymbol(self.key.market.venue, key.market) if key.market else self.key.market,
                key.timeframe or self.key.timeframe,
                compiled.candles_before(key, self.key.timeframe),
                MAX_MISSED,
                dependencies,
            )
            for key in compiled.sources
        }
        self._known: OrderedDict[datetime, CandleEvaluation] = OrderedDict()
        self._arrivals: CandleSubscription | None = None
        self._oldest_requested: datetime | None = None
        self._change = asyncio.Event()

    def __repr__(self) -> str:
        return f"StrategyEvaluator({self.key.market}, {self.history!r}, missing={self.missing})"

    @property
    def needed(self) -> int:
        """How many closed candles a decision needs."""
        return self.compiled.warm_up + 1

    @property
    def atr(self) -> Decimal | None:
        """ATR(14) at the candle that closed last, in quote per base; None if it isn't needed or known."""
        newest = self.history.newest
        return None if newest is None or not self.key.needs_atr else self.evaluate(newest).atr

    @property
    def change(self) -> asyncio.Event:
        """An event that is set with the next change; take it before reading what is there."""
        return self._change

    def request_from(self, open_time: datetime | None) -> None:
        """Have candles requested from that one on, as far as it is reasonable."""
        if open_time is not None and (self._oldest_requested is None or open_time < self._oldest_requested):
            self._oldest_requested = open_time

    def is_newest(self, candle: Candle) -> bool:
        """Return whether no later candle has closed: signals of the others come too late to be acted on."""
        newest = self.history.newest
        return newest is not None and newest.open_time == candle.open_time and self._is_latest(candle)

    def evaluate(self, candle: Candle) -> CandleEvaluation:
        """Return what the strategy makes of a candle of `history`, computed for the first that asks."""
        known = self._known.get(candle.open_time)
        if known is None or known.candle is not candle:
            known = self._evaluate(candle, None)
            self._known[candle.open_time] = known
            if len(self._known) > MAX_MISSED:
                self._known.popitem(last=False)
        return known

    def evaluate_with(self, candle: Candle, position: PositionFacts) -> CandleEvaluation:
        """Return what the strategy makes of a candle of `history` with a position, which is of one session alone."""
        return self._evaluate(candle, position)

    def _evaluate(self, candle: Candle, position: PositionFacts | None) -> CandleEvaluation:
        others = {key: candles.arrays() for key, candles in self._others.items()}
        needs_atr = self.key.needs_atr
        return evaluate_candle(self.compiled, self.history, candle, position, atr=needs_atr, others=others)

    async def run(self) -> None:
        """Follow the market until cancelled; an error of the engine's own is left in `error` for those that follow."""
        try:
            if not self._others:
                await self._follow()
            async with TaskGroup() as group:
                for candles in self._others.values():
                    group.create_task(candles.run())
                group.create_task(self._follow())
        except Exception as error:
            self.error = error
            self._publish()
            raise

    async def _follow(self) -> NoReturn:
        async with self._dependencies.feed.closed_candles(self.key.market, self.key.timeframe) as arrivals:
            self._arrivals = arrivals
            await self._load()
            while True:
                await self._accept(await anext(arrivals))

    async def _accept(self, candle: Candle) -> None:
        newest = self.history.newest
        if newest is not None and candle.open_time <= newest.open_time:
            return
        for other in self._others.values():
            await other.wait_for(candle.close_time)
        if self.history.append(candle):
            self._publish()
        else:
            await self._load()

    async def _load(self) -> None:
        """Return once all the needed candles are in `history`; missing ones are requested of the collectors."""
        clock, requested_at, pause = (
            self._dependencies.clock,
            float("-inf"),
            Backoff(FIRST_POLL_SECONDS, SLOWEST_POLL_SECONDS),
        )
        while not await self._is_loaded():
            if clock.monotonic() - requested_at >= REQUEST_SECONDS:
                requested_at = clock.monotonic()
                await self._request()
                self.missing = self._describe_missing()
                self._publish()
            await asyncio.sleep(pause.next_delay())
        self.missing = None
        self._publish()

    async def _is_loaded(self) -> bool:
        key, limit = self.key, self.needed + MAX_MISSED
        candles = await read_newest(self._dependencies.database, key.market, key.timeframe, limit)
        if candles is None:
            return False
        if not await self._are_others_loaded(candles[-1].close_time if candles else None):
            return False
        self.history.load(candles)
        return len(self.history) >= self.needed and self._is_current()

    async def _are_others_loaded(self, at: datetime | None) -> bool:
        # They come first: a follower may evaluate a candle as soon as it is in `history`.
        return all([at is not None and await other.load(at) for other in self._others.values()])

    def _is_current(self) -> bool:
        """Return whether no candle is missing but one that is closing right now."""
        newest = self.history.newest
        if newest is None:
            return False
        now = self._dependencies.feed.venue_now(newest.market.venue)
        return now - newest.close_time < newest.timeframe.duration + CLOSING_TIME

    async def _request(self) -> None:
        market, timeframe = self.key.market, self.key.timeframe
        now = self._dependencies.feed.venue_now(market.venue)
        for other in self._others.values():
            await other.request(now)
        start = timeframe.open_time(now) - self.needed * timeframe.duration
        if self._oldest_requested is not None:
            start = max(min(start, self._oldest_requested), start - MAX_MISSED * timeframe.duration)
        await request_candles(self._dependencies.bus, market, timeframe, start)

    def _describe_missing(self) -> str:
        for other in self._others.values():
            if not other.is_filled:
                return other.describe_missing()
        market, count = self.key.market, len(self.history)
        if count < self.needed:
            return f"It waits for candles of {market}: {count} of the {self.needed} that it needs are here."
        return f"It waits for the newest candles of {market}."

    def _is_latest(self, candle: Candle) -> bool:
        return self._arrivals is not None and self._arrivals.is_latest(candle)

    def _publish(self) -> None:
        changed, self._change = self._change, asyncio.Event()
        changed.set()
