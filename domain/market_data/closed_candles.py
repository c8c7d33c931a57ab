"""A stream of candles without a hole in it, whatever the bus loses and whichever node collects."""

from datetime import datetime

from domain.core.pagination import TimeKeysetPage
from domain.model.markets import Candle
from domain.ports.unit_of_work import Database

MAX_MISSED = 500


class ClosedCandleStream:
    """What one reader of one market and timeframe is told: each closed candle once, none of them left out."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._next: datetime | None = None
        """When the oldest candle opens that wasn't told as closed yet."""

    async def at(self, candle: Candle) -> list[Candle]:
        """Return what to tell when `candle` is heard: the closed ones that were missed, then itself, or nothing.

        A collector that takes a market over tells what it sees from then on; what closed before is in the storage.
        Raises `Unavailable`; then nothing counts as told.
        """
        if self._next is not None and candle.open_time < self._next:
            return []
        told = [*await self._missed(candle), candle]
        self._next = candle.close_time if candle.closed else candle.open_time
        return told

    async def _missed(self, candle: Candle) -> list[Candle]:
        if self._next is None or candle.open_time == self._next:
            return []
        window = TimeKeysetPage(limit=MAX_MISSED, start=self._next, end=candle.open_time, backwards=True)
        async with self._database.read_only() as reading:
            return await reading.market_data.candles(candle.market, candle.timeframe, window)
