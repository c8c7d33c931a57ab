"""Candles on a real database, and the runner that computes backtests over them in a real process."""

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from domain.jobs.runner import JobRunner
from domain.model.markets import Candle, MarketSymbol, Timeframe
from domain.ports.bus import MessageBus
from domain.ports.market_data import MarketDataSource
from domain.research.backtest_handler import BacktestHandler
from domain.research.candle_loader import CandleLoader
from domain.research.compute_pool import ComputePool
from infra.clock import SystemClock
from infra.embedded.bus import EmbeddedBus
from infra.postgres.candle_series import PostgresBars
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from tests.support.orders import BTC, a_market

START = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=30)
HOURS = 400
"""Enough for several trades, and soon computed."""


def waves(market: MarketSymbol = BTC, count: int = HOURS, start: datetime = START) -> list[Candle]:
    """Return hourly candles of a price that goes up and down."""
    candles, before = [], Decimal(100)
    for number in range(count):
        close = Decimal(round(10_000 + 400 * math.sin(number / 9) + 3 * (number % 7))) / 100
        high, low = max(before, close) + Decimal("0.1"), min(before, close) - Decimal("0.1")
        opened = start + number * Timeframe.H1.duration
        candles.append(Candle(market, Timeframe.H1, opened, before, high, low, close, Decimal(5), closed=True))
        before = close
    return candles


def backtest_input(start: datetime, end: datetime, **changes: object) -> dict[str, object]:
    """Return the input of `backtestRun` on the hourly candles of BTC, with other fields; what is None isn't given."""
    given = {"market": str(BTC), "timeframe": "H1", "from": start.isoformat(), "to": end.isoformat(), **changes}
    return {name: value for name, value in given.items() if value is not None}


async def store_waves(database: PostgresDatabase, candles: list[Candle]) -> None:
    async with database.transaction() as transaction:
        await transaction.market_data.save_markets([a_market()])
        await transaction.market_data.ensure_candle_partitions(candles[0].open_time, candles[-1].open_time)
        await transaction.market_data.insert_candles(candles)


def backtest_runner(
    database: PostgresDatabase,
    pool: Pool,
    processes: ComputePool,
    source: MarketDataSource | None = None,
    name: str = "worker",
    bus: MessageBus | None = None,
) -> JobRunner:
    candles = CandleLoader(database, PostgresBars(pool), lambda _venue: source, SystemClock())
    handler = BacktestHandler(database, candles, processes)
    return JobRunner(database, bus or EmbeddedBus(), SystemClock(), name, [handler])
