"""Candles that were built here, compared with the venue's own once those are final."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.market_data.candles import matches
from domain.market_data.writer import MarketDataWriter
from domain.model.markets import Candle, MarketSymbol, Timeframe
from domain.ports.market_data import MarketDataSource

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 5
"""How often a candle is looked for at the venue, and how often one that differed is looked at again."""

MAX_PENDING = 1_000
"""How many candles of a timeframe wait for a venue that doesn't answer; it also gives no more at once."""


@dataclass(slots=True)
class _Pending:
    candle: Candle
    looks: int = 0


class CandleVerifier:
    """The closed candles of one market on their way to being certain.

    Where the venue's own differs it is stored in the place of ours, and told to nobody: who acted on the closed candle
    acted on what could be known then. One that differed is looked at again until two looks agree, since a venue may be
    late. One that the venue leaves out is taken for empty; where trades were seen in it, ours stays.

    `checked` counts candles that the venue confirmed or corrected, `corrections` by timeframe those that differed,
    `unconfirmed` those that the venue doesn't have.
    """

    def __init__(
        self, market: MarketSymbol, source: MarketDataSource, writer: MarketDataWriter, final_after: float
    ) -> None:
        self.checked = 0
        self.unconfirmed = 0
        self.corrections: dict[Timeframe, int] = dict.fromkeys(Timeframe, 0)
        self._market = market
        self._source = source
        self._writer = writer
        self._settled_after = timedelta(seconds=final_after)
        self._untold: list[Candle] = []
        self._pending: dict[Timeframe, dict[datetime, _Pending]] = {timeframe: {} for timeframe in Timeframe}

    @property
    def pending(self) -> int:
        """How many candles wait for their check."""
        return sum(len(each) for each in self._pending.values())

    def enqueue(self, closed: Sequence[Candle]) -> None:
        """Check candles that have closed, once the venue's own are final."""
        for candle in closed:
            waiting = self._pending[candle.timeframe]
            waiting[candle.open_time] = _Pending(candle)
            if len(waiting) > MAX_PENDING:
                del waiting[min(waiting)]

    async def check(self, now: datetime) -> list[Candle]:
        """Compare what is final at the venue's time `now`; return the corrected candles, which are stored.

        One question a timeframe of which something is due. Raises `VenueUnreachable` and `Unavailable`: what wasn't
        compared waits for the next call, which returns what was corrected before the failure too.
        """
        for timeframe in Timeframe:
            self._untold += await self._check(timeframe, now)
        corrected, self._untold = self._untold, []
        return corrected

    async def _check(self, timeframe: Timeframe, now: datetime) -> list[Candle]:
        due = self._due(timeframe, now)
        if not due:
            return []
        first, last = due[0].candle.open_time, due[-1].candle.open_time
        count = min((last - first) // timeframe.duration + 1, MAX_PENDING)
        page = await self._source.fetch_candles(self._market, timeframe, first, count)
        own = {candle.open_time: candle for candle in page if candle.closed}
        told = [own[each.candle.open_time] for each in due if each.candle.open_time in own]
        await self._writer.correct(told)
        # What lies beyond an answer may not have fitted into it.
        judged = [each for each in due if not told or each.candle.open_time <= told[-1].open_time]
        corrected = [each.candle for each in judged if self._settle(each, own.get(each.candle.open_time))]
        self.corrections[timeframe] += len(corrected)
        return corrected

    def _due(self, timeframe: Timeframe, now: datetime) -> list[_Pending]:
        waiting = self._pending[timeframe].values()
        due = [each for each in waiting if each.candle.close_time + self._settled_after <= now]
        return sorted(due, key=lambda each: each.candle.open_time)

    def _settle(self, pending: _Pending, own: Candle | None) -> bool:
        """Note what the venue says of a candle; tell whether it differs."""
        candle = pending.candle
        pending.looks += 1
        if own is None:
            if candle.volume == 0:
                self._forget(candle)
            elif pending.looks >= MAX_ATTEMPTS:
                self.unconfirmed += 1
                self._forget(candle)
                log.info("%s has no candle of its own for %s", self._market.venue, _shown(candle))
            return False
        differs = not matches(candle, own)
        if differs:
            log.info("corrected %s to the venue's own, %s", _shown(candle), _numbers(own))
            pending.candle = own
        if not differs or pending.looks >= MAX_ATTEMPTS:
            self.checked += 1
            self._forget(candle)
        return differs

    def _forget(self, candle: Candle) -> None:
        self._pending[candle.timeframe].pop(candle.open_time, None)


def _shown(candle: Candle) -> str:
    return f"{candle.market} {candle.timeframe} {candle.open_time:%Y-%m-%d %H:%M}, {_numbers(candle)}"


def _numbers(candle: Candle) -> str:
    prices = f"open {candle.open} high {candle.high} low {candle.low} close {candle.close}"
    return f"{prices} volume {candle.volume}"
