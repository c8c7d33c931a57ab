"""Verifies candles that were built here against the venue's own once those are final."""

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
"""How often a candle is requested of the venue until it has it, and until one that differed is confirmed."""

MAX_PENDING = 1_000
"""How many candles of a timeframe wait for a venue that doesn't answer; it also returns no more at once."""


@dataclass(slots=True)
class _Pending:
    candle: Candle
    attempts: int = 0


class CandleVerifier:
    """Compares the closed candles of one market with the venue's own.

    If the venue's candle differs, it replaces ours in the database, but isn't published: a decision that was made on
    the closed candle was made on what could be known then. One that differed is requested again until two responses
    agree, since a venue may be late. One that the venue leaves out is empty; if trades were seen in it, ours stays.

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
        self._final_after = timedelta(seconds=final_after)
        self._unreturned: list[Candle] = []
        self._pending: dict[Timeframe, dict[datetime, _Pending]] = {timeframe: {} for timeframe in Timeframe}

    @property
    def pending(self) -> int:
        """The number of candles that wait to be verified."""
        return sum(len(candles) for candles in self._pending.values())

    def enqueue(self, closed: Sequence[Candle]) -> None:
        """Verify closed candles once the venue's own are final."""
        for candle in closed:
            waiting = self._pending[candle.timeframe]
            waiting[candle.open_time] = _Pending(candle)
            if len(waiting) > MAX_PENDING:
                del waiting[min(waiting)]

    async def check(self, now: datetime) -> list[Candle]:
        """Compare what is final at the venue's time `now`; return the corrected candles, which are stored.

        Makes one request for each timeframe with candles that are due. Raises `VenueUnreachable` and `Unavailable`; the
        next call goes on, and also returns what was corrected before the failure.
        """
        for timeframe in Timeframe:
            self._unreturned += await self._check(timeframe, now)
        corrected, self._unreturned = self._unreturned, []
        return corrected

    async def _check(self, timeframe: Timeframe, now: datetime) -> list[Candle]:
        due = self._due(timeframe, now)
        if not due:
            return []
        first, last = due[0].candle.open_time, due[-1].candle.open_time
        count = min((last - first) // timeframe.duration + 1, MAX_PENDING)
        page = await self._source.fetch_candles(self._market, timeframe, first, count)
        own = {candle.open_time: candle for candle in page if candle.closed}
        found = [own[pending.candle.open_time] for pending in due if pending.candle.open_time in own]
        await self._writer.correct(found)
        # What lies beyond the response may not have fitted into it.
        answered = [pending for pending in due if not found or pending.candle.open_time <= found[-1].open_time]
        corrected = [
            pending.candle for pending in answered if self._compare(pending, own.get(pending.candle.open_time))
        ]
        self.corrections[timeframe] += len(corrected)
        return corrected

    def _due(self, timeframe: Timeframe, now: datetime) -> list[_Pending]:
        waiting = self._pending[timeframe].values()
        due = [pending for pending in waiting if pending.candle.close_time + self._final_after <= now]
        return sorted(due, key=lambda pending: pending.candle.open_time)

    def _compare(self, pending: _Pending, own: Candle | None) -> bool:
        """Compare a candle with the venue's; return whether it differs."""
        candle = pending.candle
        pending.attempts += 1
        if own is None:
            if candle.volume == 0:
                self._discard(candle)
            elif pending.attempts >= MAX_ATTEMPTS:
                self.unconfirmed += 1
                self._discard(candle)
                log.info("%s has no candle of its own for %s", self._market.venue, _describe(candle))
            return False
        differs = not matches(candle, own)
        if differs:
            log.info("corrected %s to the venue's own, %s", _describe(candle), _describe_values(own))
            pending.candle = own
        if not differs or pending.attempts >= MAX_ATTEMPTS:
            self.checked += 1
            self._discard(candle)
        return differs

    def _discard(self, candle: Candle) -> None:
        self._pending[candle.timeframe].pop(candle.open_time, None)


def _describe(candle: Candle) -> str:
    return f"{candle.market} {candle.timeframe} {candle.open_time:%Y-%m-%d %H:%M}, {_describe_values(candle)}"


def _describe_values(candle: Candle) -> str:
    prices = f"open {candle.open} high {candle.high} low {candle.low} close {candle.close}"
    return f"{prices} volume {candle.volume}"
