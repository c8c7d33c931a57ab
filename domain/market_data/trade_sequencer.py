"""The trades of one market as one sequence: each counted once, whatever breaks in between."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.market_data.candle_aggregation import CandleAggregator
from domain.market_data.candles import add_trade, fill_gaps, matches, merge, open_candle, resample
from domain.market_data.trade_dedup import TradeDeduplicator
from domain.model.markets import VENUE_TIMEFRAMES, Candle, MarketSymbol, Timeframe, Trade
from domain.ports.market_data import MarketDataSource, VenueGap, VenueUnreachable

HISTORY_CANDLES = 500
_UNSETTLED = 2
"""The venue's newest candle is forming, and the one before it may not be final yet."""

RECENT_TRADES = 1_000

OLDEST_TRADE = timedelta(days=31)
"""Older trades are ignored: on a market that hardly trades, the newest thousand may span years."""

SETTLED = timedelta(seconds=2)
"""How long after a minute's end the venue's candle of it is certainly final, errors of our clock included."""

AHEAD = timedelta(minutes=1)
"""How far ahead of the venue's clock the time of a trade may be; beyond it, the stream is at fault."""


@dataclass(frozen=True, slots=True)
class ResyncResult:
    """What the venue returned for a resynchronisation.

    `history` holds closed candles of every timeframe, `missed` those of them that closed since the stream broke,
    `forming` the venue's forming candles, `trades` the newest trades. `earlier` are those trades that are to be stored
    but not published, since they were made before anybody followed the market.
    """

    history: tuple[Candle, ...]
    missed: tuple[Candle, ...]
    forming: tuple[Candle, ...]
    trades: tuple[Trade, ...]
    earlier: tuple[Trade, ...]


class TradeSequencer:
    """Brings a market's trades, from the stream and from requests, into sequence, and builds candles of them.

    A venue returns only so many of its newest trades. If they don't reach back to the start of the present minute,
    candles built of them would be wrong. The sequencer is not complete then: it builds no candles and retains what
    comes until it is resynchronised at `resync_at`, when the venue's own candle of that minute is final.
    `trade_count` counts the trades, each once.
    """

    def __init__(self, market: MarketSymbol, source: MarketDataSource) -> None:
        self.candles = CandleAggregator(market)
        self.trade_count = 0
        self._market = market
        self._source = source
        self._in_candles = TradeDeduplicator()
        self._known = TradeDeduplicator()
        self._complete_since: datetime | None = None
        self._synced_before = False
        self._generation = 0
        self._resync_at: datetime | None = None
        self._waiting: list[Trade] = []
        self._returned: dict[Timeframe, Candle] = {}
        self._returned_minute: Candle | None = None

    @property
    def is_complete(self) -> bool:
        """Whether every trade since the start of the present minute is known."""
        return self._complete_since is not None

    @property
    def resync_at(self) -> datetime | None:
        """When to resynchronise, by the venue's clock; None if that isn't needed."""
        return self._resync_at

    def reset(self) -> None:
        """Discard what was retained and the result of a `resync` under way: after a break, both may have a gap."""
        self._generation += 1
        self._complete_since = self._resync_at = None
        self._waiting = []

    async def resync(self) -> ResyncResult:
        """Request the newest candles and trades and continue from them; raises `VenueUnreachable` and `VenueGap`.

        The stream must be open already: what it brings meanwhile is handled afterwards, and counted once.
        """
        generation = self._generation
        # The first request connects, and until then the venue's time isn't known.
        await self._source.fetch_candles(self._market, Timeframe.M1, None, 1)
        now = self._source.venue_now()
        until = Timeframe.M1.open_time(now - SETTLED)
        fetched = {
            timeframe: await self._source.fetch_candles(self._market, timeframe, None, HISTORY_CANDLES + _UNSETTLED)
            for timeframe in VENUE_TIMEFRAMES
        }
        trades = await self.recent()
        until = _known_until(fetched[Timeframe.M1], until)
        listed = _listed(fetched)
        every = _all_timeframes(fetched, until, listed)
        history = {timeframe: _closed(candles, until) for timeframe, candles in every.items()}
        own = {
            timeframe: candle for timeframe, candles in every.items() for candle in candles if _contains(candle, until)
        }
        if generation != self._generation:
            raise VenueUnreachable("the stream of trades broke while the present minute was requested")
        earlier = self._earlier(trades, until)
        missed = self.candles.reset(history, own, until, listed)
        known = sort_trades([*self._waiting, *trades])
        self._continue(until, known, complete=_reaches_back(known, fetched[Timeframe.M1], until))
        closed = tuple(candle for candles in history.values() for candle in candles)
        return ResyncResult(closed, tuple(missed), tuple(own.values()), tuple(trades), tuple(earlier))

    async def recent(self) -> list[Trade]:
        """Return the venue's newest trades; raises `VenueUnreachable`."""
        trades = await self._source.fetch_trades(self._market, RECENT_TRADES)
        oldest = self._source.venue_now() - OLDEST_TRADE
        return [trade for trade in trades if trade.at >= oldest]

    def handle(self, batch: Sequence[Trade]) -> tuple[list[Trade], list[Candle]]:
        """Return those of the trades that are new, in order, and the candles that they closed; raises `VenueGap`.

        Trades before the last `resync` are in the venue's own candles already. A trade of the future would close
        candles that haven't ended, so it is treated as a fault of the stream.
        """
        latest = self._source.venue_now() + AHEAD
        for trade in batch:
            if trade.at > latest:
                raise VenueGap(f"a trade of {trade.at:%Y-%m-%d %H:%M:%S} is ahead of the venue's clock")
        batch = sort_trades(batch)
        new = [trade for trade in batch if self._known.add(trade)]
        self.trade_count += len(new)
        if self._complete_since is None:
            self._waiting += new
            return new, []
        retained, self._waiting = self._waiting, []
        return new, self._add_to_candles([*retained, *batch], self._complete_since)

    def changed(self) -> list[Candle]:
        """Return the forming candles that have changed since the last call."""
        if not self.is_complete or self.candles.minute == self._returned_minute:
            return []
        self._returned_minute = self.candles.minute
        forming = {candle.timeframe: candle for candle in self.candles.forming()}
        changed = [candle for timeframe, candle in forming.items() if self._returned.get(timeframe) != candle]
        self._returned = forming
        return changed

    def _add_to_candles(self, batch: Sequence[Trade], since: datetime) -> list[Candle]:
        present = (trade for trade in batch if trade.at >= since and self._in_candles.add(trade))
        return [candle for trade in present for candle in self.candles.add(trade)]

    def _earlier(self, trades: Sequence[Trade], until: datetime) -> list[Trade]:
        """Return the trades before the very first resynchronisation; they count as known."""
        if self._synced_before:
            return []
        self._synced_before = True
        return [trade for trade in trades if trade.at < until and self._known.add(trade)]

    def _continue(self, until: datetime, known: Sequence[Trade], *, complete: bool) -> None:
        self._in_candles.clear()
        self._waiting = [trade for trade in known if trade.at >= until]
        self._complete_since = until if complete else None
        self._resync_at = None if complete else until + Timeframe.M1.duration + SETTLED


def _known_until(minutes: Sequence[Candle], until: datetime) -> datetime:
    """Return the end of the venue's newest closed minute: one that it doesn't list yet is built of trades."""
    settled = [candle.close_time for candle in minutes if candle.close_time <= until]
    return settled[-1] if settled else until


def _listed(fetched: Mapping[Timeframe, Sequence[Candle]]) -> datetime | None:
    """Return the market's first minute if the oldest candles of every timeframe begin with it, else None."""
    if not all(fetched.values()):
        return None
    first = fetched[Timeframe.M1][0].open_time
    begins = (candles[0].open_time == timeframe.open_time(first) for timeframe, candles in fetched.items())
    return first if all(begins) else None


def _all_timeframes(
    fetched: Mapping[Timeframe, Sequence[Candle]], until: datetime, listed: datetime | None
) -> dict[Timeframe, Sequence[Candle]]:
    """Return the venue's candles, and those of the other timeframes, resampled."""
    found: dict[Timeframe, Sequence[Candle]] = {}
    for timeframe in Timeframe:
        if timeframe in fetched:
            found[timeframe] = fetched[timeframe]
            continue
        parts = fetched[next(shorter for shorter in reversed(VENUE_TIMEFRAMES) if shorter.divides(timeframe))]
        begins = timeframe.open_time(listed) if listed else parts[0].open_time if parts else until
        found[timeframe] = resample(parts, timeframe, begins, until)
    return found


def _closed(candles: Sequence[Candle], until: datetime) -> list[Candle]:
    """Return the newest `HISTORY_CANDLES`: if a venue leaves out empty ones, those it returned may span years."""
    settled = [candle for candle in candles if candle.close_time <= until]
    if not settled:
        return []
    oldest = settled[-1].close_time - HISTORY_CANDLES * settled[-1].timeframe.duration
    return fill_gaps([candle for candle in settled if candle.open_time >= oldest])


def _contains(candle: Candle, until: datetime) -> bool:
    return candle.open_time <= until < candle.close_time


def _reaches_back(trades: Sequence[Trade], minutes: Sequence[Candle], until: datetime) -> bool:
    """Return whether no trade since `until` is missing: one is older, or the first of them make the venue's candle.

    The candles were requested before the trades, so that later trades are not in them. Their volume alone says nothing:
    as much may have been traded between the two requests as the first trades, which are missing, had. Neither does that
    there is no candle yet: a venue may list it later than its trades.
    """
    if any(trade.at < until for trade in trades):
        return True
    own = [candle for candle in minutes if candle.open_time >= until and candle.volume]
    if not own:
        return not trades
    shown, built = merge(own, Timeframe.M1), None
    for trade in trades:
        built = open_candle(trade, Timeframe.M1) if built is None else add_trade(built, trade)
        if built.volume >= shown.volume:
            return matches(built, shown)
    return False


def sort_trades(trades: Sequence[Trade]) -> list[Trade]:
    """Return each trade once, sorted by time and then by id as a number."""
    unique = {trade.venue_trade_id: trade for trade in trades}
    return sorted(unique.values(), key=lambda trade: (trade.at, len(trade.venue_trade_id), trade.venue_trade_id))
