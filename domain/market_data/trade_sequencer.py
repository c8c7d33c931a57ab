"""The trades of one market in one piece: each counted once, whatever breaks in between."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.core.money import ZERO
from domain.market_data.candles import CandleAggregator, fill_gaps, resample
from domain.market_data.trade_dedup import TradeDeduplicator
from domain.model.markets import VENUE_TIMEFRAMES, Candle, MarketSymbol, Timeframe, Trade
from domain.ports.market_data import MarketDataSource, VenueGap, VenueUnreachable

HISTORY_CANDLES = 500
_UNSETTLED = 2
"""The venue's newest candle is forming, and the one before it may not be final yet."""

RECENT_TRADES = 1_000

OLDEST_TRADE = timedelta(days=31)
"""Trades of before are left alone: on a market that hardly trades, the newest thousand may be of years."""

SETTLED = timedelta(seconds=2)
"""How long after a minute's end the venue's own candle of it is surely final, errors of our clock included."""

AHEAD = timedelta(minutes=1)
"""How far ahead of the venue's clock a trade's time can be at most, that it is believed."""


@dataclass(frozen=True, slots=True)
class ResyncResult:
    """What the venue told when the sequencer began (again).

    `history` holds closed candles of every timeframe, `missed` those of them that closed since the sequencer was lost,
    `forming` what the venue shows as forming, `trades` the newest trades and `earlier` those of them that nobody is
    to be told any more: they were made before anybody listened.
    """

    history: tuple[Candle, ...]
    missed: tuple[Candle, ...]
    forming: tuple[Candle, ...]
    trades: tuple[Trade, ...]
    earlier: tuple[Trade, ...]


class TradeSequencer:
    """Puts a market's trades, from the stream and on request, into candles.

    A venue gives only so many of its newest trades. Where they don't reach back to the start of the present minute,
    candles made of them would be wrong: then the sequencer isn't `whole`, makes no candles, keeps what comes, and is to
    begin again at `resync_at`, when the venue's own candle tells what happened in that minute.
    """

    def __init__(self, market: MarketSymbol, source: MarketDataSource) -> None:
        self.candles = CandleAggregator(market)
        self.trade_count = 0
        self._market = market
        self._source = source
        self._counted = TradeDeduplicator()
        self._taken = TradeDeduplicator()
        self._from: datetime | None = None
        self._begun = False
        self._generation = 0
        self._resume_at: datetime | None = None
        self._waiting: list[Trade] = []
        self._told: dict[Timeframe, Candle] = {}
        self._told_minute: Candle | None = None

    @property
    def is_complete(self) -> bool:
        """Whether every trade since the start of the present minute is known."""
        return self._from is not None

    @property
    def resync_at(self) -> datetime | None:
        """When, by the venue's clock, to begin again; None where that isn't needed."""
        return self._resume_at

    def reset(self) -> None:
        """Note that the stream broke: what was kept for later may have a hole, and what is being asked for is old."""
        self._generation += 1
        self._from = self._resume_at = None
        self._waiting = []

    async def resync(self) -> ResyncResult:
        """Ask for the last candles and trades and go on from them; raises `VenueUnreachable` and `VenueGap`.

        The stream must be open already: what it brings meanwhile is taken afterwards, and counts once.
        """
        generation = self._generation
        # The first question connects, and until then the venue's time isn't known.
        await self._source.fetch_candles(self._market, Timeframe.M1, None, 1)
        now = self._source.venue_now()
        until = Timeframe.M1.open_time(now - SETTLED)
        told = {
            timeframe: await self._source.fetch_candles(self._market, timeframe, None, HISTORY_CANDLES + _UNSETTLED)
            for timeframe in VENUE_TIMEFRAMES
        }
        trades = await self.recent()
        until = _known_until(told[Timeframe.M1], until)
        listed = _listed(told)
        every = _all_timeframes(told, until, listed)
        history = {timeframe: _closed(candles, until) for timeframe, candles in every.items()}
        own = {timeframe: candle for timeframe, candles in every.items() for candle in candles if _holds(candle, until)}
        if generation != self._generation:
            raise VenueUnreachable("the stream of trades broke while the present minute was asked for")
        earlier = self._earlier(trades, until)
        missed = self.candles.reset(history, own, until, listed)
        known = in_order([*self._waiting, *trades])
        self._go_on(until, known, complete=_is_complete(known, told[Timeframe.M1], until))
        closed = tuple(candle for each in history.values() for candle in each)
        return ResyncResult(closed, tuple(missed), tuple(own.values()), tuple(trades), tuple(earlier))

    async def recent(self) -> list[Trade]:
        """Return the venue's newest trades; raises `VenueUnreachable`."""
        trades = await self._source.fetch_trades(self._market, RECENT_TRADES)
        oldest = self._source.venue_now() - OLDEST_TRADE
        return [trade for trade in trades if trade.at >= oldest]

    def handle(self, batch: Sequence[Trade]) -> tuple[list[Trade], list[Candle]]:
        """Return which of the trades were never taken, in order, and the candles closed by them; raises `VenueGap`.

        Trades from before the last beginning are in the venue's own candles already. A trade of the future would
        close candles that aren't over, so it is taken for a fault of the stream.
        """
        latest = self._source.venue_now() + AHEAD
        for trade in batch:
            if trade.at > latest:
                raise VenueGap(f"a trade of {trade.at:%Y-%m-%d %H:%M:%S} is ahead of the venue's clock")
        batch = in_order(batch)
        new = [trade for trade in batch if self._taken.add(trade)]
        self.trade_count += len(new)
        if self._from is None:
            self._waiting += new
            return new, []
        kept, self._waiting = self._waiting, []
        return new, self._count([*kept, *batch], self._from)

    def changed(self) -> list[Candle]:
        """Return the forming candles that have changed since the last call."""
        if not self.is_complete or self.candles.minute == self._told_minute:
            return []
        self._told_minute = self.candles.minute
        forming = {candle.timeframe: candle for candle in self.candles.forming()}
        changed = [candle for timeframe, candle in forming.items() if self._told.get(timeframe) != candle]
        self._told = forming
        return changed

    def _count(self, batch: Sequence[Trade], since: datetime) -> list[Candle]:
        present = (trade for trade in batch if trade.at >= since and self._counted.add(trade))
        return [candle for trade in present for candle in self.candles.add(trade)]

    def _earlier(self, trades: Sequence[Trade], until: datetime) -> list[Trade]:
        """Return the trades of before the very first beginning; they count as taken."""
        if self._begun:
            return []
        self._begun = True
        return [trade for trade in trades if trade.at < until and self._taken.add(trade)]

    def _go_on(self, until: datetime, known: Sequence[Trade], *, complete: bool) -> None:
        self._counted.clear()
        self._waiting = [trade for trade in known if trade.at >= until]
        self._from = until if complete else None
        self._resume_at = None if complete else until + Timeframe.M1.duration + SETTLED


def _known_until(minutes: Sequence[Candle], until: datetime) -> datetime:
    """Return up to when the venue's minutes are told: one that isn't listed yet is made of trades."""
    settled = [candle.close_time for candle in minutes if candle.close_time <= until]
    return settled[-1] if settled else until


def _listed(told: Mapping[Timeframe, Sequence[Candle]]) -> datetime | None:
    """Return the market's first minute, where the oldest candles of every timeframe begin with it; else None."""
    if not all(told.values()):
        return None
    first = told[Timeframe.M1][0].open_time
    begins = (candles[0].open_time == timeframe.open_time(first) for timeframe, candles in told.items())
    return first if all(begins) else None


def _all_timeframes(
    told: Mapping[Timeframe, Sequence[Candle]], until: datetime, listed: datetime | None
) -> dict[Timeframe, Sequence[Candle]]:
    """Return the venue's candles, and those of the timeframes between that they add up to."""
    found: dict[Timeframe, Sequence[Candle]] = {}
    for timeframe in Timeframe:
        if timeframe in told:
            found[timeframe] = told[timeframe]
            continue
        parts = told[next(each for each in reversed(VENUE_TIMEFRAMES) if each.divides(timeframe))]
        begins = timeframe.open_time(listed) if listed else parts[0].open_time if parts else until
        found[timeframe] = resample(parts, timeframe, begins, until)
    return found


def _closed(candles: Sequence[Candle], until: datetime) -> list[Candle]:
    """Return the newest `HISTORY_CANDLES`: where a venue leaves out empty ones, what it gave may be of years."""
    settled = [candle for candle in candles if candle.close_time <= until]
    if not settled:
        return []
    oldest = settled[-1].close_time - HISTORY_CANDLES * settled[-1].timeframe.duration
    return fill_gaps([candle for candle in settled if candle.open_time >= oldest])


def _holds(candle: Candle, until: datetime) -> bool:
    return candle.open_time <= until < candle.close_time


def _is_complete(trades: Sequence[Trade], minutes: Sequence[Candle], until: datetime) -> bool:
    """Tell whether no trade since `until` is missing: they reach further back, or hold all that the venue shows.

    The candles were asked for before the trades, so what is shown of the forming minute is no more than was traded.
    """
    if any(trade.at < until for trade in trades):
        return True
    traded = sum((trade.quantity for trade in trades), ZERO)
    return traded >= sum((candle.volume for candle in minutes if candle.open_time >= until), ZERO)


def in_order(trades: Sequence[Trade]) -> list[Trade]:
    """Return each trade once, by time, those of the same time by their ids read as numbers."""
    unique = {trade.venue_trade_id: trade for trade in trades}
    return sorted(unique.values(), key=lambda each: (each.at, len(each.venue_trade_id), each.venue_trade_id))
