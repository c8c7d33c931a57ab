"""Long series of candles are read page by page into arrays, with the numbers that are stored."""

from datetime import timedelta

import numpy as np
import pytest

from domain.model.markets import Timeframe
from infra.postgres import candle_series
from infra.postgres.candle_series import PostgresBars
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from tests.support.backtest_jobs import START, store_waves, waves
from tests.support.orders import BTC


@pytest.mark.parametrize("page", [1, 7, 20, 100])
async def test_each_candle_of_the_period_is_read_once_with_its_numbers(
    database: PostgresDatabase, pool: Pool, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(candle_series, "PAGE_ROWS", page)
    candles = waves(count=40)
    await store_waves(database, candles[:25] + candles[30:])
    rows: list[int] = []
    start, end = START + timedelta(hours=3), START + timedelta(hours=38)
    bars = await PostgresBars(pool).read(BTC, Timeframe.H1, start, end, rows.append)
    expected = candles[3:25] + candles[30:38]
    assert [int(at) for at in bars.opened] == [int(one.open_time.timestamp()) * 1000 for one in expected]
    for name in ("open", "high", "low", "close", "volume"):
        series = bars.candles.series(name)
        assert series.dtype == np.float64
        assert series.tolist() == [float(getattr(one, name)) for one in expected]
    assert sum(rows) == len(expected)


async def test_a_period_without_candles_is_empty(pool: Pool) -> None:
    bars = await PostgresBars(pool).read(BTC, Timeframe.H1, START, START + timedelta(days=1), lambda _rows: None)
    assert len(bars) == 0
