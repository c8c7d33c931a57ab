"""Candles out of trades: six timeframes from one pass, each candle closed once and never opened again."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from domain.markets.types import Candle, MarketSymbol, Timeframe, Trade
from domain.money import ZERO

CLOSE_DELAY = timedelta(seconds=1)
"""How long after its end, in the venue's time, a candle waits for trades that are still under way."""

MAX_EMPTY_BUCKETS = 10_000
"""A trade further ahead than this begins the series anew: filling up with empty candles would take memory."""

KEPT = 16
"""How many closed candles of each timeframe are kept; any forming one is made of fewer of each shorter timeframe."""


def opened_by(trade: Trade, timeframe: Timeframe) -> Candle:
    """Return the forming candle that `trade` is the first of."""
    price = trade.price
    opened = timeframe.open_time(trade.at)
    return Candle(trade.market, timeframe, opened, price, price, price, price, trade.quantity, closed=False)


def with_trade(candle: Candle, trade: Trade) -> Candle:
    """Return `candle` with one more trade; one without volume takes all its prices from its first trade."""
    if candle.volume == 0:
        return opened_by(trade, candle.timeframe)
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


def empty_after(candle: Candle) -> Candle:
    """Return the forming candle that follows: no volume, at the previous close."""
    price = candle.close
    return Candle(candle.market, candle.timeframe, candle.close_time, price, price, price, price, ZERO, closed=False)


def without_gaps(candles: Sequence[Candle]) -> list[Candle]:
    """Return closed candles with those put between that a venue leaves out because nothing was traded then."""
    filled: list[Candle] = []
    for candle in candles:
        while filled and filled[-1].close_time < candle.open_time:
            filled.append(replace(empty_after(filled[-1]), closed=True))
        filled.append(replace(candle, closed=True))
    return filled


def is_same(one: Candle, other: Candle) -> bool:
    """Tell whether two candles of the same time hold the same."""
    return _content(one) == _content(other)


def _content(candle: Candle) -> tuple[Decimal, ...]:
    return candle.open, candle.high, candle.low, candle.close, candle.volume


def combined(parts: Sequence[Candle], timeframe: Timeframe) -> Candle:
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


def composed(
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
    return combined(parts, timeframe) if parts else None


class CandleBuilder:
    """The candles of one market and timeframe; `late` counts trades that came after their candle had closed."""

    def __init__(self, timeframe: Timeframe) -> None:
        self.timeframe = timeframe
        self.forming: Candle | None = None
        self.closed_until: datetime | None = None
        self.late = 0
        self._last: Candle | None = None

    def add(self, trade: Trade) -> list[Candle]:
        """Take one trade; return the candles that it closed, oldest first."""
        bucket = self.timeframe.open_time(trade.at)
        if self.closed_until is not None and bucket < self.closed_until:
            self.late += 1
            return []
        if self.forming is None or bucket - self.forming.open_time > MAX_EMPTY_BUCKETS * self.timeframe.duration:
            self.forming = opened_by(trade, self.timeframe)
            self.closed_until = self.forming.open_time
            return []
        if bucket < self.forming.open_time:
            self.late += 1
            return []
        closed = self._close_before(bucket)
        self.forming = with_trade(self.forming, trade)
        return closed

    def close_due(self, now: datetime) -> list[Candle]:
        """Return the candles that the venue's time `now` closes, oldest first."""
        if self.forming is None:
            return []
        return self._close_before(self.timeframe.open_time(now - CLOSE_DELAY))

    def reset(self, history: Sequence[Candle], forming: Candle | None) -> list[Candle]:
        """Go on from the venue's own candles; return those that have closed since the last one here, oldest first.

        With nothing here before, `history` only sets where the series stands, and nothing is returned.
        """
        known = self.closed_until
        missed = [candle for candle in history if known is not None and candle.open_time >= known]
        if history and (self._last is None or history[-1].open_time > self._last.open_time):
            self._last = history[-1]
        following = None if self._last is None else empty_after(self._last)
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
            self.forming = empty_after(last) if self.forming.volume == 0 else self.forming
        if forming is not None and forming.open_time == self.forming.open_time:
            self.forming = forming

    def _close_before(self, bucket: datetime) -> list[Candle]:
        closed: list[Candle] = []
        while self.forming is not None and self.forming.open_time < bucket:
            done = replace(self.forming, closed=True)
            closed.append(done)
            self.forming = empty_after(done)
            self.closed_until = done.close_time
            self._last = done
        return closed


class MarketCandles:
    """The candles of one market in every timeframe."""

    def __init__(self, market: MarketSymbol) -> None:
        self.market = market
        self._builders = {timeframe: CandleBuilder(timeframe) for timeframe in Timeframe}
        self._closed: dict[Timeframe, dict[datetime, Candle]] = {timeframe: {} for timeframe in Timeframe}

    @property
    def late(self) -> int:
        """How many trades came after their minute had closed."""
        return self._builders[Timeframe.M1].late

    def add(self, trade: Trade) -> list[Candle]:
        """Take one trade; return the candles that it closed."""
        return self._kept([candle for builder in self._builders.values() for candle in builder.add(trade)])

    def close_due(self, now: datetime) -> list[Candle]:
        """Return the candles that the venue's time `now` closes."""
        return self._kept([candle for builder in self._builders.values() for candle in builder.close_due(now)])

    def forming(self) -> list[Candle]:
        """Return the forming candle of each timeframe that has one."""
        return [builder.forming for builder in self._builders.values() if builder.forming is not None]

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
        for timeframe, builder in self._builders.items():
            forming = composed(history, timeframe, until, listed)
            if forming is None and listed is None and timeframe.open_time(until) < until:
                forming = own.get(timeframe)
            missed += builder.reset(history.get(timeframe, ()), forming)
            self._kept(history.get(timeframe, ())[-KEPT:])
        return missed

    def correct(self, corrected: Sequence[Candle]) -> None:
        """Take the venue's own in the place of closed candles, and make the forming ones anew of what is known now."""
        for candle in corrected:
            if candle.open_time in self._closed[candle.timeframe]:
                self._closed[candle.timeframe][candle.open_time] = candle
                self._builders[candle.timeframe].correct(candle, None)
        minute = self._builders[Timeframe.M1].forming
        if corrected and minute is not None:
            for timeframe, builder in self._builders.items():
                builder.correct(None, self._composed(timeframe, minute))

    def _composed(self, timeframe: Timeframe, minute: Candle) -> Candle | None:
        """Return the forming candle of closed shorter ones and the forming minute; None where some are missing."""
        closed = {each: list(candles.values()) for each, candles in self._closed.items()}
        before = composed(closed, timeframe, minute.open_time)
        return None if before is None else combined([before, minute], timeframe)

    def _kept(self, closed: Sequence[Candle]) -> list[Candle]:
        """Remember the newest closed candles; return all that were given."""
        for candle in closed:
            known = self._closed[candle.timeframe]
            known[candle.open_time] = candle
            if len(known) > KEPT:
                del known[min(known)]
        return list(closed)
