"""Arithmetic of candles: add trades, fill gaps, merge and resample. All functions are pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from itertools import groupby

from domain.core.money import ZERO
from domain.model.markets import Candle, Timeframe, Trade


def open_candle(trade: Trade, timeframe: Timeframe) -> Candle:
    """Return a forming candle with `trade` as its first."""
    price = trade.price
    opened = timeframe.open_time(trade.at)
    return Candle(trade.market, timeframe, opened, price, price, price, price, trade.quantity, closed=False)


def add_trade(candle: Candle, trade: Trade) -> Candle:
    """Return `candle` with `trade` added; one without volume takes all its prices from its first trade."""
    if candle.volume == 0:
        return open_candle(trade, candle.timeframe)
    high, low = max(candle.high, trade.price), min(candle.low, trade.price)
    volume = candle.volume + trade.quantity
    # Written out, since `replace` takes several times as long and every trade comes here.
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
    """Return the forming candle that follows: without volume, all its prices at the previous close."""
    price = candle.close
    return Candle(candle.market, candle.timeframe, candle.close_time, price, price, price, price, ZERO, closed=False)


def fill_gaps(candles: Sequence[Candle]) -> list[Candle]:
    """Return closed candles, with flat ones in the gaps that a venue leaves where nothing was traded."""
    filled: list[Candle] = []
    for candle in candles:
        while filled and filled[-1].close_time < candle.open_time:
            filled.append(replace(flat_candle(filled[-1]), closed=True))
        filled.append(replace(candle, closed=True))
    return filled


def matches(candle: Candle, other: Candle) -> bool:
    """Return whether two candles of the same time have the same prices and volume."""
    return _values(candle) == _values(other)


def _values(candle: Candle) -> tuple[Decimal, ...]:
    return candle.open, candle.high, candle.low, candle.close, candle.volume


def merge(parts: Sequence[Candle], timeframe: Timeframe) -> Candle:
    """Return the forming candle of `timeframe` out of shorter, contiguous candles.

    Candles without volume have the price of an older trade, so they count only if nothing was traded at all.
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
    """Return the candles of `timeframe` out of shorter ones, oldest first; none that opens before `since`.

    Those that end after `until` are forming. Gaps between the shorter ones stay gaps.
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
    """Return the forming candle at `until` out of closed shorter ones; None if some are missing, or none are needed.

    `until` is the start of a minute: trades since then are not included. Nothing before `listed`, the market's first
    minute, is needed.
    """
    shorter = [other for other in reversed(Timeframe) if other.seconds < timeframe.seconds]
    by_time = {other: {candle.open_time: candle for candle in history.get(other, ())} for other in shorter}
    at = max(timeframe.open_time(until), listed or timeframe.open_time(until))
    parts: list[Candle] = []
    while at < until:
        fitting = (by_time[other].get(at) for other in shorter if at + other.duration <= until)
        part = next((candle for candle in fitting if candle is not None), None)
        if part is None:
            return None
        parts.append(part)
        at = part.close_time
    return merge(parts, timeframe) if parts else None
