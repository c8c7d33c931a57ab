"""Writes market data to the database in batches: a busy market costs one transaction a second."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from domain.core.errors import Unavailable
from domain.market_data.history_versions import Series
from domain.model.markets import Candle, Depth, Trade
from domain.ports.market_data import MarketDataRepository
from domain.ports.unit_of_work import Database, UnitOfWork

log = logging.getLogger(__name__)

MAX_WAITING = 50_000
"""How many trades or candles wait for a database that is away; older ones are dropped, and can be back-filled."""

MAX_WAITING_DEPTHS = MAX_WAITING // 100


class MarketDataWriter:
    """Buffers trades, closed candles and snapshots, and writes them.

    A candle that was built here never replaces a stored one, which is the venue's own or as good.
    The counters are rows written since the start; `dropped_rows` are those that made room while the database was away.
    """

    def __init__(
        self,
        database: Database,
        every_seconds: float = 1.0,
        on_stored: Callable[[Iterable[Series]], None] = lambda _stored: None,
    ) -> None:
        self.stored_trades = 0
        self.stored_candles = 0
        self.stored_depths = 0
        self.backfilled_candles = 0
        self.dropped_rows = 0
        self._database = database
        self._every = every_seconds
        self._on_stored = on_stored
        self._trades: list[Trade] = []
        self._candles: list[Candle] = []
        self._depths: list[Depth] = []
        self._months: set[tuple[str, int, int]] = set()
        self._lock = asyncio.Lock()

    @property
    def waiting(self) -> int:
        """The number of rows that wait for the next batch."""
        return len(self._trades) + len(self._candles) + len(self._depths)

    def add_trades(self, trades: Sequence[Trade]) -> None:
        """Store trades with the next batch."""
        self._trades += trades
        self.dropped_rows += _drop_oldest(self._trades, MAX_WAITING)

    def add_candles(self, candles: Sequence[Candle]) -> None:
        """Store closed candles that were built here with the next batch."""
        self._candles += candles
        self.dropped_rows += _drop_oldest(self._candles, MAX_WAITING)

    def add_depth(self, depth: Depth) -> None:
        """Store a snapshot with the next batch."""
        self._depths.append(depth)
        self.dropped_rows += _drop_oldest(self._depths, MAX_WAITING_DEPTHS)

    async def backfill(self, candles: Sequence[Candle]) -> None:
        """Store past closed candles now, unless they are stored already; raises `Unavailable`."""
        async with self._partitioned(candles) as market_data:
            await market_data.insert_candles(candles)
        self._note_stored(candles)
        self.backfilled_candles += len(candles)

    async def correct(self, candles: Sequence[Candle]) -> None:
        """Store the venue's own closed candles now, replacing stored ones; raises `Unavailable`."""
        async with self._partitioned(candles) as market_data:
            await market_data.upsert_candles(candles)
        self._note_stored(candles)

    async def flush(self) -> None:
        """Store what waits; if the database can't be reached, it goes on waiting."""
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
                log.exception("market data could not be stored; it is tried again")

    async def _store(self, trades: Sequence[Trade], candles: Sequence[Candle], depths: Sequence[Depth]) -> None:
        async with self._database.transaction() as transaction:
            created = await self._ensure_partitions(transaction, "trades", [trade.at for trade in trades])
            created |= await self._ensure_partitions(transaction, "candles", [candle.open_time for candle in candles])
            if trades:
                await transaction.market_data.save_trades(trades)
            if candles:
                await transaction.market_data.insert_candles(candles)
            if depths:
                await transaction.market_data.save_depth(depths)
        self._months |= created
        self._note_stored(candles, trades)
        self.stored_trades += len(trades)
        self.stored_candles += len(candles)
        self.stored_depths += len(depths)

    def _note_stored(self, candles: Sequence[Candle], trades: Sequence[Trade] = ()) -> None:
        series: set[Series] = {(candle.market, candle.timeframe) for candle in candles}
        self._on_stored(series | {(trade.market, None) for trade in trades})

    @asynccontextmanager
    async def _partitioned(self, candles: Sequence[Candle]) -> AsyncIterator[MarketDataRepository]:
        async with self._database.transaction() as transaction:
            created = await self._ensure_partitions(transaction, "candles", [candle.open_time for candle in candles])
            yield transaction.market_data
        self._months |= created

    async def _ensure_partitions(
        self, transaction: UnitOfWork, table: str, times: Sequence[datetime]
    ) -> set[tuple[str, int, int]]:
        """Create the partitions of months that this writer hasn't written to yet; return the months."""
        months = {(table, at.year, at.month) for at in times}
        if months <= self._months:
            return set()
        repository = transaction.market_data
        ensure = repository.ensure_candle_partitions if table == "candles" else repository.ensure_trade_partitions
        await ensure(min(times), max(times))
        return months


def _drop_oldest(waiting: list[Trade] | list[Candle] | list[Depth], limit: int) -> int:
    """Drop the oldest of more than `limit`; return how many."""
    over = max(0, len(waiting) - limit)
    del waiting[:over]
    return over
