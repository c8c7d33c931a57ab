"""The trades of one market in one piece: each counted once, whatever breaks in between."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.markets.candles import MarketCandles
from domain.markets.ports import MarketDataSource
from domain.markets.types import Candle, MarketSymbol, Timeframe, Trade

HISTORY_CANDLES = 500
_UNSETTLED = 2
"""The venue's newest candle is forming, and the one before it may not be final yet."""

RECENT_TRADES = 1_000
REMEMBERED_TRADES = 5_000

SETTLED = timedelta(seconds=2)
"""How long after a minute's end the venue's own candle of it is surely final, errors of our clock included."""


@dataclass(frozen=True, slots=True)
class Start:
    """What the venue told when the tape began (again).

    `history` holds closed candles of every timeframe, `missed` those of them that closed since the tape was lost,
    `trades` the newest trades.
    """

    history: tuple[Candle, ...]
    missed: tuple[Candle, ...]
    trades: tuple[Trade, ...]


class Tape:
    """Puts a market's trades, from the stream and on request, into candles."""

    def __init__(self, market: MarketSymbol, source: MarketDataSource) -> None:
        self._market = market
        self._source = source
        self._counted: OrderedDict[str, None] = OrderedDict()
        self._taken: OrderedDict[str, None] = OrderedDict()
        self._from: datetime | None = None
        self._told: dict[Timeframe, Candle] = {}
        self.candles = MarketCandles(market)

    async def begin(self) -> Start:
        """Ask for the last candles and trades and go on from them; raises `VenueUnreachable`.

        The stream must be open already: what it brings meanwhile is taken afterwards, and counts once.
        """
        # The first question connects, and until then the venue's time isn't known.
        await self._source.fetch_candles(self._market, Timeframe.M1, None, 1)
        until = Timeframe.M1.open_time(self._source.venue_now() - SETTLED)
        told = {
            timeframe: await self._source.fetch_candles(self._market, timeframe, None, HISTORY_CANDLES + _UNSETTLED)
            for timeframe in Timeframe
        }
        history = {
            timeframe: [candle for candle in candles if candle.close_time <= until]
            for timeframe, candles in told.items()
        }
        own = {
            timeframe: candle
            for timeframe, candles in told.items()
            for candle in candles
            if candle.open_time <= until < candle.close_time
        }
        trades = await self.recent()
        missed = self.candles.reset(history, own, until)
        self._counted.clear()
        self._from = until
        return Start(tuple(candle for each in history.values() for candle in each), tuple(missed), tuple(trades))

    async def recent(self) -> list[Trade]:
        """Return the venue's newest trades; raises `VenueUnreachable`."""
        return await self._source.fetch_trades(self._market, RECENT_TRADES)

    def take(self, batch: Sequence[Trade]) -> tuple[list[Trade], list[Candle]]:
        """Return which of the trades were never taken, and the candles that the batch closed.

        Trades from before the last beginning are in the venue's own candles already.
        """
        present = [trade for trade in batch if self._from is not None and trade.at >= self._from]
        uncounted = [trade for trade in present if _is_new(trade, self._counted)]
        closed = [candle for trade in uncounted for candle in self.candles.add(trade)]
        return [trade for trade in uncounted if _is_new(trade, self._taken)], closed

    def changed(self) -> list[Candle]:
        """Return the forming candles that have changed since the last call."""
        forming = {candle.timeframe: candle for candle in self.candles.forming()}
        changed = [candle for timeframe, candle in forming.items() if self._told.get(timeframe) != candle]
        self._told = forming
        return changed


def _is_new(trade: Trade, known: OrderedDict[str, None]) -> bool:
    if trade.venue_trade_id in known:
        return False
    known[trade.venue_trade_id] = None
    if len(known) > REMEMBERED_TRADES:
        known.popitem(last=False)
    return True
