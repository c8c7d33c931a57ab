"""Builds the candles of one market out of its trades: each is closed once and never opened again."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from domain.core.money import ZERO
from domain.market_data.candles import add_trade, build_forming, flat_candle, merge, open_candle
from domain.model.markets import Candle, MarketSymbol, Timeframe, Trade

CLOSE_DELAY = timedelta(seconds=1)
"""How long after its end, in the venue's time, a candle waits for trades that are still under way."""

MAX_EMPTY_BUCKETS = 10_000
"""A trade further ahead than this starts a new series: filling the gap with empty candles would take memory."""

RETAINED_CANDLES = 16
"""How many closed candles of each timeframe are retained; a forming one consists of fewer of each shorter timeframe."""


class _CandleSeries:
    """The candles of one market and timeframe, one after the other without a gap."""

    def __init__(self, timeframe: Timeframe) -> None:
        self.timeframe = timeframe
        self.forming: Candle | None = None
        self.closed_until: datetime | None = None
        self._last: Candle | None = None

    def reset(self, history: Sequence[Candle], forming: Candle | None) -> list[Candle]:
        """Continue from the venue's candles; return those that have closed since the last one here, oldest first.

        The first time, nothing is returned: `history` only sets the position of the series.
        """
        known = self.closed_until
        missed = [candle for candle in history if known is not None and candle.open_time >= known]
        if history and (self._last is None or history[-1].open_time > self._last.open_time):
            self._last = history[-1]
        following = None if self._last is None else flat_candle(self._last)
        if forming is None or (following is not None and forming.open_time < following.open_time):
            forming = following
        self.forming = forming
        if forming is not None:
            self.closed_until = forming.open_time
        return missed

    def correct(self, last: Candle | None, forming: Candle | None) -> None:
        """Replace the last closed candle and the forming one; None leaves it as it is."""
        if self.forming is None:
            return
        if last is not None and last.close_time == self.forming.open_time:
            self._last = last
            self.forming = flat_candle(last) if self.forming.volume == 0 else self.forming
        if forming is not None and forming.open_time == self.forming.open_time:
            self.forming = forming

    def _follows(self, bucket: datetime) -> bool:
        """Return whether the candle that opens at `bucket` continues the series instead of starting a new one."""
        forming = self.forming
        return forming is not None and bucket - forming.open_time <= MAX_EMPTY_BUCKETS * self.timeframe.duration

    def _start(self, forming: Candle) -> list[Candle]:
        """Start a series; return the candle that was forming before, now closed."""
        abandoned = [] if self.forming is None else [replace(self.forming, closed=True)]
        self.forming = forming
        self.closed_until = forming.open_time
        return abandoned

    def _close_before(self, bucket: datetime) -> list[Candle]:
        closed: list[Candle] = []
        while self.forming is not None and self.forming.open_time < bucket:
            done = replace(self.forming, closed=True)
            closed.append(done)
            self.forming = flat_candle(done)
            self.closed_until = done.close_time
            self._last = done
        return closed


class CandleBuilder(_CandleSeries):
    """Builds candles out of trades; `late` counts trades that came after their candle had closed."""

    def __init__(self, timeframe: Timeframe) -> None:
        super().__init__(timeframe)
        self.late = 0

    def add(self, trade: Trade) -> list[Candle]:
        """Add a trade; return the candles that it closed, oldest first."""
        bucket = self.timeframe.open_time(trade.at)
        if self.closed_until is not None and bucket < self.closed_until:
            self.late += 1
            return []
        if self.forming is None or not self._follows(bucket):
            return self._start(open_candle(trade, self.timeframe))
        if bucket < self.forming.open_time:
            self.late += 1
            return []
        closed = self._close_before(bucket)
        self.forming = add_trade(self.forming, trade)
        return closed

    def close_due(self, now: datetime) -> list[Candle]:
        """Close the candles that have ended by the venue's time `now`; return them, oldest first."""
        if self.forming is None:
            return []
        return self._close_before(self.timeframe.open_time(now - CLOSE_DELAY))


class CandleComposer(_CandleSeries):
    """Builds longer candles out of minutes. `forming` holds only closed minutes, so that a trade costs nothing here."""

    def start_minute(self, minute: Candle) -> list[Candle]:
        """Move on to the forming `minute`; return the candles that closed before it, oldest first."""
        bucket = self.timeframe.open_time(minute.open_time)
        if self.closed_until is not None and bucket < self.closed_until:
            return []
        if self._follows(bucket):
            return self._close_before(bucket)
        price = minute.open
        empty = Candle(minute.market, self.timeframe, bucket, price, price, price, price, ZERO, closed=False)
        return self._start(empty)

    def add_minute(self, minute: Candle) -> list[Candle]:
        """Add a closed minute; return the candles that closed with it or before it, oldest first."""
        closed = self.start_minute(minute)
        if self._contains(minute):
            self.forming = self.with_minute(minute)
            closed += self._close_before(self.timeframe.open_time(minute.close_time))
        return closed

    def with_minute(self, minute: Candle | None) -> Candle | None:
        """Return the forming candle with one more minute, which is forming or has just closed."""
        if self.forming is None or minute is None or not minute.volume or not self._contains(minute):
            return self.forming
        return merge([self.forming, minute], self.timeframe)

    def _contains(self, minute: Candle) -> bool:
        forming = self.forming
        return forming is not None and forming.open_time <= minute.open_time < forming.close_time


class CandleAggregator:
    """The candles of one market in every timeframe."""

    def __init__(self, market: MarketSymbol) -> None:
        self.market = market
        self._minutes = CandleBuilder(Timeframe.M1)
        self._longer = [CandleComposer(timeframe) for timeframe in Timeframe if timeframe is not Timeframe.M1]
        self._series: dict[Timeframe, _CandleSeries] = {
            series.timeframe: series for series in (self._minutes, *self._longer)
        }
        self._closed: dict[Timeframe, dict[datetime, Candle]] = {timeframe: {} for timeframe in Timeframe}
        self._minute_at: datetime | None = None

    @property
    def late(self) -> int:
        """The number of trades that came after their minute had closed."""
        return self._minutes.late

    @property
    def minute(self) -> Candle | None:
        """The forming minute; all longer candles change with it."""
        return self._minutes.forming

    def add(self, trade: Trade) -> list[Candle]:
        """Add a trade; return the candles that it closed, the shorter ones first."""
        return self._close_longer(self._minutes.add(trade))

    def close_due(self, now: datetime) -> list[Candle]:
        """Close the candles that have ended by the venue's time `now`; return them, the shorter ones first."""
        return self._close_longer(self._minutes.close_due(now))

    def forming(self) -> list[Candle]:
        """Return the forming candle of each timeframe that has one."""
        minute = self._minutes.forming
        candles = [minute, *(composer.with_minute(minute) for composer in self._longer)]
        return [candle for candle in candles if candle is not None]

    def reset(
        self,
        history: Mapping[Timeframe, Sequence[Candle]],
        own: Mapping[Timeframe, Candle],
        until: datetime,
        listed: datetime | None = None,
    ) -> list[Candle]:
        """Continue from the venue's candles, all closed by `until`, the start of a minute; return the missed ones.

        The trades since `until` are to be added next. `own` are the forming candles of the venue: one is used if
        `history` has too few shorter candles to build it without counting a trade twice. `listed` is the market's first
        minute, if the venue has none before it.
        """
        missed: list[Candle] = []
        for timeframe, series in self._series.items():
            forming = build_forming(history, timeframe, until, listed)
            if forming is None and listed is None and timeframe.open_time(until) < until:
                forming = own.get(timeframe)
            missed += series.reset(history.get(timeframe, ()), forming)
            self._retain(history.get(timeframe, ())[-RETAINED_CANDLES:])
        missed += self._add_closed_since(until)
        self._minute_at = None
        return missed

    def correct(self, corrected: Sequence[Candle]) -> None:
        """Replace closed candles by the venue's own, and build the forming ones again out of what is known now."""
        for candle in corrected:
            if candle.open_time in self._closed[candle.timeframe]:
                self._closed[candle.timeframe][candle.open_time] = candle
                self._series[candle.timeframe].correct(candle, None)
        minute = self._minutes.forming
        if corrected and minute is not None:
            closed = {timeframe: list(candles.values()) for timeframe, candles in self._closed.items()}
            for composer in self._longer:
                composer.correct(None, build_forming(closed, composer.timeframe, minute.open_time))

    def _add_closed_since(self, until: datetime) -> list[Candle]:
        """Add minutes that closed here after `until` to the longer candles; return those that closed with them.

        They stay closed: their trades count as late if they come again, and would be missing from all longer candles.
        """
        minutes = [minute for opened, minute in sorted(self._closed[Timeframe.M1].items()) if opened >= until]
        closed: list[Candle] = []
        for minute in minutes:
            for composer in self._longer:
                closed += composer.add_minute(minute)
        return self._retain(closed)

    def _close_longer(self, minutes: Sequence[Candle]) -> list[Candle]:
        """Return the given closed minutes and the longer candles that closed with them."""
        minute = self._minutes.forming
        if minute is None or minute.open_time == self._minute_at:
            return []
        self._minute_at = minute.open_time
        closed = list(minutes)
        for composer in self._longer:
            for closed_minute in minutes:
                closed += composer.add_minute(closed_minute)
            closed += composer.start_minute(minute)
        return self._retain(closed)

    def _retain(self, closed: Sequence[Candle]) -> list[Candle]:
        """Retain the newest closed candles; return all that were given."""
        for candle in closed:
            known = self._closed[candle.timeframe]
            known[candle.open_time] = candle
            if len(known) > RETAINED_CANDLES:
                del known[min(known)]
        return list(closed)
