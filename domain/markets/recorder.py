"""Stores what is collected, in batches, so that a busy market costs one transaction a second."""

import asyncio
import logging
from collections.abc import Sequence

from domain.errors import Unavailable
from domain.markets.types import Candle, Depth, Trade
from domain.storage import Storage

log = logging.getLogger(__name__)

MAX_WAITING = 50_000
"""How many trades or candles wait for a database that is away; older ones are then let go, and can be back-filled."""


class Recorder:
    """Trades, closed candles and snapshots on their way to the storage."""

    def __init__(self, storage: Storage, every_seconds: float = 1.0) -> None:
        self._storage = storage
        self._every = every_seconds
        self._trades: list[Trade] = []
        self._candles: list[Candle] = []
        self._depths: list[Depth] = []
        self._lock = asyncio.Lock()

    def add_trades(self, trades: Sequence[Trade]) -> None:
        """Store trades with the next batch."""
        self._trades = [*self._trades, *trades][-MAX_WAITING:]

    def add_candles(self, candles: Sequence[Candle]) -> None:
        """Store closed candles with the next batch."""
        self._candles = [*self._candles, *candles][-MAX_WAITING:]

    def add_depth(self, depth: Depth) -> None:
        """Store a snapshot with the next batch."""
        self._depths = [*self._depths, depth][-MAX_WAITING // 100 :]

    async def backfill(self, candles: Sequence[Candle]) -> None:
        """Store closed candles of the past now; raises `Unavailable`."""
        if not candles:
            return
        opened = [candle.open_time for candle in candles]
        async with self._storage.transaction() as transaction:
            await transaction.market_data.ensure_partitions_for(min(opened), max(opened))
            await transaction.market_data.save_candles(candles)

    async def flush(self) -> None:
        """Store what waits; keeps it where the storage can't be reached."""
        async with self._lock:
            trades, candles, depths = self._trades, self._candles, self._depths
            if not (trades or candles or depths):
                return
            self._trades, self._candles, self._depths = [], [], []
            try:
                await self._store(trades, candles, depths)
            except BaseException as error:
                self._trades, self._candles = trades + self._trades, candles + self._candles
                self._depths = depths + self._depths
                if not isinstance(error, Unavailable):
                    raise
                log.warning("market data waits for the database: %s", error.message)

    async def run(self) -> None:
        """Store batches until cancelled."""
        while True:
            await asyncio.sleep(self._every)
            try:
                await self.flush()
            except Exception:
                log.exception("market data could not be stored, and is tried again")

    async def _store(self, trades: Sequence[Trade], candles: Sequence[Candle], depths: Sequence[Depth]) -> None:
        async with self._storage.transaction() as transaction:
            if trades:
                await transaction.market_data.save_trades(trades)
            if candles:
                await transaction.market_data.save_candles(candles)
            if depths:
                await transaction.market_data.save_depth(depths)
