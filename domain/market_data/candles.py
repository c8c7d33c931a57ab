"""Candles out of trades: minutes of trades, longer ones of minutes, each closed once and never opened again."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby

from domain.core.money import ZERO
from domain.model.markets import Candle, MarketSymbol, Timeframe, Trade

CLOSE_DELAY = timedelta(seconds=1)
"""How long after its end, in the venue's time, a candle waits for trades that are still under way."""

MAX_EMPTY_BUCKETS = 10_000
"""A trade further ahead than this begins the series anew: filling up with empty candles would take memory."""

KEPT = 16
"""How many closed candles of each timeframe are kept; any forming one is made of fewer of each shorter timeframe."""


def open_candle(trade: Trade, timeframe: Timeframe) -> Candle:
    """Return the forming candle that `trade` is the first of."""
    price = trade.price
    opened = timeframe.open_time(trade.at)
    return Candle(trade.market, timeframe, opened, price, price, price, price, trade.quantity, closed=False)


def add_trade(candle: Candle, trade: Trade) -> Candle:
    """Return `candle` with one more trade; one without volume takes all its prices from its first trade."""
    if candle.volume == 0:
        return open_candle(trade, candle.timeframe)
    high, low = max(candle.high, trade.price), min(candle.low, trade.price)
    volume = candle.volume + trade.quantity
    # Written out, since `replace` takes several times as long and every trade comes here once a timeframe.
    return Candle(
        candle.market,
        candle.timeframe,
        candle.open_time,
        candle.open,
        high,
        low,
        trade.price,
        volume,
        closed=candle.closed,
    )


def flat_candle(candle: Candle) -> Candle:
    """Return the forming candle that follows: no volume, at the previous close."""
    price = candle.close
    return Candle(candle.market, candle.timeframe, candle.close_time, price, price, price, price, ZERO, closed=False)


def fill_gaps(candles: Sequence[Candle]) -> list[Candle]:
    """Return closed candles with those put between that a venue leaves out because nothing was traded then."""
    filled: list[Candle] = []
    for candle in candles:
        while filled and filled[-1].close_time < candle.open_time:
            filled.append(replace(flat_candle(filled[-1]), closed=True))
        filled.append(replace(candle, closed=True))
    return filled


def matches(one: Candle, other: Candle) -> bool:
    """Tell whether two candles of the same time hold the same."""
    return _content(one) == _content(other)


def _content(candle: Candle) -> tuple[Decimal, ...]:
    return candle.open, candle.high, candle.low, candle.close, candle.volume


def merge(parts: Sequence[Candle], timeframe: Timeframe) -> Candle:
    """Return the forming candle of `timeframe` that shorter, contiguous candles add up to.

    Parts without volume stand at an older close, so they count only where nothing was traded at all.
    """
    traded = [part for part in parts if part.volume] or [parts[0]]
    return Candle(
        market=parts[0].market,
        timeframe=timeframe,
        open_time=timeframe.open_time(parts[0].open_time),
        open=traded[0].open,
        high=max(part.high for part in traded),
        low=min(part.low for part in traded),
        close=traded[-1].close,
        volume=sum((part.volume for part in traded), ZERO),
        closed=False,
    )


def resample(candles: Sequence[Candle], timeframe: Timeframe, since: datetime, until: datetime) -> list[Candle]:
    """Return the candles of `timeframe` that shorter ones, oldest first, add up to; none that opens before `since`.

    Those that end after `until` are forming. What a venue leaves out of the shorter ones, having seen no trade then, is
    left out here.
    """
    buckets = groupby(candles, lambda candle: timeframe.open_time(candle.open_time))
    longer = [merge(list(parts), timeframe) for opened, parts in buckets if opened >= since]
    return [replace(candle, closed=candle.close_time <= until) for candle in longer]


def build_forming(
    history: Mapping[Timeframe, Sequence[Candle]],
    timeframe: Timeframe,
    until: datetime,
    listed: datetime | None = None,
) -> Candle | None:
    """Return the forming candle at `until` out of closed shorter ones; None where none are needed or some are missing.

    `until` is the start of a minute: what was traded since then isn't in it. Nothing is needed of before `listed`, the
    market's first minute.
    """
    shorter = [each for each in reversed(Timeframe) if each.seconds < timeframe.seconds]
    by_time = {each: {candle.open_time: candle for candle in history.get(each, ())} for each in shorter}
    at = max(timeframe.open_time(until), listed or timeframe.open_time(until))
    parts: list[Candle] = []
    while at < until:
        fitting = (by_time[each].get(at) for each in shorter if at + each.duration <= until)
        part = next((candle for candle in fitting if candle is not None), None)
        if part is None:
            return None
        parts.append(part)
        at = part.close_time
    return merge(parts, timeframe) if parts else None


class _Series:
    """The candles of one market and timeframe, one after the other without a gap."""

    def __init__(self, timeframe: Timeframe) -> None:
        self.timeframe = timeframe
        self.forming: Candle | None = None
        self.closed_until: datetime | None = None
        self._last: Candle | None = None

    def reset(self, history: Sequence[Candle], forming: Candle | None) -> list[Candle]:
        """Go on from the venue's own candles; return those that have closed since the last one here, oldest first.

        With nothing here before, `history` only sets where the series stands, and nothing is returned.
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
        """Go on from the venue's own last candle, and with what the candles so far add up to; None leaves a part."""
        if self.forming is None:
            return
        if last is not None and last.close_time == self.forming.open_time:
            self._last = last
            self.forming = flat_candle(last) if self.forming.volume == 0 else self.forming
        if forming is not None and forming.open_time == self.forming.open_time:
            self.forming = forming

    def _follows(self, bucket: datetime) -> bool:
        """Tell whether the candle that opens at `bucket` continues the series instead of beginning it anew."""
        forming = self.forming
        return forming is not None and bucket - forming.open_time <= MAX_EMPTY_BUCKETS * self.timeframe.duration

    def _begin(self, forming: Candle) -> list[Candle]:
        """Begin the series, or begin it anew; return the candle that was forming, which nothing came to since."""
        broken_off = [] if self.forming is None else [replace(self.forming, closed=True)]
        self.forming = forming
        self.closed_until = forming.open_time
        return broken_off

    def _close_before(self, bucket: datetime) -> list[Candle]:
        closed: list[Candle] = []
        while self.forming is not None and self.forming.open_time < bucket:
            done = replace(self.forming, closed=True)
            closed.append(done)
            self.forming = flat_candle(done)
            self.closed_until = done.close_time
            self._last = done
        return closed


class CandleBuilder(_Series):
    """Makes candles of trades; `late` counts trades that came after their candle had closed."""

    def __init__(self, timeframe: Timeframe) -> None:
        super().__init__(timeframe)
        self.late = 0

    def add(self, trade: Trade) -> list[Candle]:
        """Take one trade; return the candles that it closed, oldest first."""
        bucket = self.timeframe.open_time(trade.at)
        if self.closed_until is not None and bucket < self.closed_until:
            self.late += 1
            return []
        if self.forming is None or not self._follows(bucket):
            return self._begin(open_candle(trade, self.timeframe))
        if bucket < self.forming.open_time:
            self.late += 1
            return []
        closed = self._close_before(bucket)
        self.forming = add_trade(self.forming, trade)
        return closed

    def close_due(self, now: datetime) -> list[Candle]:
        """Return the candles that the venue's time `now` closes, oldest first."""
        if self.forming is None:
            return []
        return self._close_before(self.timeframe.open_time(now - CLOSE_DELAY))


class CandleComposer(_Series):
    """Makes longer candles of minutes; `forming` holds the closed minutes alone, so that a trade costs nothing here."""

    def begin_minute(self, minute: Candle) -> list[Candle]:
        """Take it that `minute` is forming now; return the candles that closed before it, oldest first."""
        bucket = self.timeframe.open_time(minute.open_time)
        if self.closed_until is not None and bucket < self.closed_until:
            return []
        if self._follows(bucket):
            return self._close_before(bucket)
        price = minute.open
        empty = Candle(minute.market, self.timeframe, bucket, price, price, price, price, ZERO, closed=False)
        return self._begin(empty)

    def add_minute(self, minute: Candle) -> list[Candle]:
        """Take a minute that has closed; return the candles that closed with it or before it, oldest first."""
        closed = self.begin_minute(minute)
        if self._holds(minute):
            self.forming = self.with_minute(minute)
            closed += self._close_before(self.timeframe.open_time(minute.close_time))
        return closed

    def with_minute(self, minute: Candle | None) -> Candle | None:
        """Return the forming candle with one more minute, which is forming or has just closed."""
        if self.forming is None or minute is None or not minute.volume or not self._holds(minute):
            return self.forming
        return merge([self.forming, minute], self.timeframe)

    def _holds(self, minute: Candle) -> bool:
        forming = self.forming
        return forming is not None and forming.open_time <= minute.open_time < forming.close_time


class CandleAggregator:
    """The candles of one market in every timeframe."""

    def __init__(self, market: MarketSymbol) -> None:
        self.market = market
        self._minutes = CandleBuilder(Timeframe.M1)
        self._longer = [CandleComposer(timeframe) for timeframe in Timeframe if timeframe is not Timeframe.M1]
        self._series: dict[Timeframe, _Series] = {each.timeframe: each for each in (self._minutes, *self._longer)}
        self._closed: dict[Timeframe, dict[datetime, Candle]] = {timeframe: {} for timeframe in Timeframe}
        self._minute_at: datetime | None = None

    @property
    def late(self) -> int:
        """How many trades came after their minute had closed."""
        return self._minutes.late

    @property
    def minute(self) -> Candle | None:
        """The forming minute, with which all longer candles change."""
        return self._minutes.forming

    def add(self, trade: Trade) -> list[Candle]:
        """Take one trade; return the candles that it closed, the shorter ones first."""
        return self._with_longer(self._minutes.add(trade))

    def close_due(self, now: datetime) -> list[Candle]:
        """Return the candles that the venue's time `now` closes, the shorter ones first."""
        return self._with_longer(self._minutes.close_due(now))

    def forming(self) -> list[Candle]:
        """Return the forming candle of each timeframe that has one."""
        minute = self._minutes.forming
        each = [minute, *(composer.with_minute(minute) for composer in self._longer)]
        return [candle for candle in each if candle is not None]

    def reset(
        self,
        history: Mapping[Timeframe, Sequence[Candle]],
        own: Mapping[Timeframe, Candle],
        until: datetime,
        listed: datetime | None = None,
    ) -> list[Candle]:
        """Go on from the venue's own candles, all closed by `until`, the start of a minute; return the missed ones.

        The trades since `until` are to be added next. `own` is what the venue shows as forming: it is used where
        `history` has too few shorter candles to add the present one up without counting a trade twice. `listed` is the
        market's first minute where the venue has none before it.
        """
        missed: list[Candle] = []
        for timeframe, series in self._series.items():
            forming = build_forming(history, timeframe, until, listed)
            if forming is None and listed is None and timeframe.open_time(until) < until:
                forming = own.get(timeframe)
            missed += series.reset(history.get(timeframe, ()), forming)
            self._kept(history.get(timeframe, ())[-KEPT:])
        missed += self._with_closed_since(until)
        self._minute_at = None
        return missed

    def correct(self, corrected: Sequence[Candle]) -> None:
        """Take the venue's own in the place of closed candles, and make the forming ones anew of what is known now."""
        for candle in corrected:
            if candle.open_time in self._closed[candle.timeframe]:
                self._closed[candle.timeframe][candle.open_time] = candle
                self._series[candle.timeframe].correct(candle, None)
        minute = self._minutes.forming
        if corrected and minute is not None:
            closed = {each: list(candles.values()) for each, candles in self._closed.items()}
            for composer in self._longer:
                composer.correct(None, build_forming(closed, composer.timeframe, minute.open_time))

    def _with_closed_since(self, until: datetime) -> list[Candle]:
        """Add minutes that closed here after `until` to the longer candles; return those that closed with them.

        They are closed for good: their trades are late when they come again, and would be in no longer candle.
        """
        minutes = [each for opened, each in sorted(self._closed[Timeframe.M1].items()) if opened >= until]
        return self._kept([each for minute in minutes for one in self._longer for each in one.add_minute(minute)])

    def _with_longer(self, minutes: Sequence[Candle]) -> list[Candle]:
        """Return minutes that have closed and the longer candles that closed with them."""
        minute = self._minutes.forming
        if minute is None or minute.open_time == self._minute_at:
            return []
        self._minute_at = minute.open_time
        closed = list(minutes)
        for composer in self._longer:
            for each in minutes:
                closed += composer.add_minute(each)
            closed += composer.begin_minute(minute)
        return self._kept(closed)

    def _kept(self, closed: Sequence[Candle]) -> list[Candle]:
        """Remember the newest closed candles; return all that were given."""
        for candle in closed:
            known = self._closed[candle.timeframe]
            known[candle.open_time] = candle
            if len(known) > KEPT:
                del known[min(known)]
        return list(closed)
