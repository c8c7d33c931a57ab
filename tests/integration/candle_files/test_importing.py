"""Files of candles on their way into a real database: all of a file or nothing, and each price as it was written."""

import asyncio
import random
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from domain.model.markets import MarketSymbol, Timeframe
from infra.candle_files.errors import MalformedRows, UnusableFileError
from infra.candle_files.importer import ImportProgress, ImportResult, load_file
from infra.postgres.bulk_candles import BulkCandleWriter, OnConflict, WriteCounts
from infra.postgres.connection import DriverConnection
from infra.postgres.pool import Pool
from tests.support.candle_files import START, csv, read_options, row
from tests.support.engine import PROGRAM, ROOT, engine_environment
from tests.support.postgres import IDLE_AS_LONG_AS_IT_TAKES, somebody_waits_for_a_lock
from tests.support.recorded_data import COINBASE, skip_without
from tests.support.waiting import PATIENCE_SECONDS, eventually

BTC = MarketSymbol("sandbox", "BTC/USDT")
SILENT = ImportProgress(lambda _: None, lambda _: None, lambda _: None)
MINUTE = timedelta(minutes=1)


async def load(
    driver: DriverConnection,
    path: Path,
    on_conflict: OnConflict = OnConflict.REPLACE,
    market: MarketSymbol = BTC,
    *,
    fill_gaps: bool = False,
    block_bytes: int = 1024,
) -> ImportResult:
    def open_writer(summary: object) -> BulkCandleWriter:
        return BulkCandleWriter(driver, market, summary.timeframe)

    return await load_file(
        read_options(path, block_bytes=block_bytes), market, open_writer, on_conflict, SILENT, fill_gaps=fill_gaps
    )


async def stored(driver: DriverConnection, columns: str = "open_time, close, volume") -> list[tuple[object, ...]]:
    return [tuple(record) for record in await driver.fetch(f"SELECT {columns} FROM candles ORDER BY open_time")]


def minutes(count: int, **changes: str) -> list[str]:
    return [row(minute, **changes) for minute in range(count)]


async def test_a_file_over_the_end_of_a_month_is_there_as_it_was_written(
    driver: DriverConnection, tmp_path: Path
) -> None:
    loaded = await load(driver, csv(tmp_path, minutes(200)))
    assert loaded.written == WriteCounts(new=200)
    rows = await stored(driver, "market, timeframe, open_time, open, high, low, close, volume::text")
    prices = (Decimal("42000.10"), Decimal(42002), Decimal("41999.99"), Decimal("42001.5"))
    assert rows == [(str(BTC), "M1", START + minute * MINUTE, *prices, "0.50") for minute in range(200)]


async def test_the_same_file_twice_changes_nothing(driver: DriverConnection, tmp_path: Path) -> None:
    path = csv(tmp_path, minutes(200))
    await load(driver, path)
    before = await stored(driver, "ctid, tableoid, xmin, *")
    assert (await load(driver, path)).written == WriteCounts(unchanged=200)
    assert await stored(driver, "ctid, tableoid, xmin, *") == before


@pytest.mark.parametrize(
    ("on_conflict", "written", "close"),
    [
        (OnConflict.REPLACE, WriteCounts(new=60, replaced=100, unchanged=40), "41999.99"),
        (OnConflict.KEEP, WriteCounts(new=60, kept=100, unchanged=40), "42001.5"),
    ],
)
async def test_where_candles_are_stored_they_are_replaced_or_kept_as_it_is_asked(
    driver: DriverConnection, tmp_path: Path, on_conflict: OnConflict, written: WriteCounts, close: str
) -> None:
    await load(driver, csv(tmp_path, minutes(140)))
    changed = minutes(40) + [row(minute, close="41999.99") for minute in range(40, 200)]
    assert (await load(driver, csv(tmp_path, changed), on_conflict)).written == written
    rows = await stored(driver, "close")
    assert rows == [(Decimal("42001.5"),)] * 40 + [(Decimal(close),)] * 100 + [(Decimal("41999.99"),)] * 60


async def test_other_markets_and_timeframes_are_left_alone(driver: DriverConnection, tmp_path: Path) -> None:
    path = csv(tmp_path, minutes(20))
    await load(driver, path, market=MarketSymbol("sandbox", "ETH/USDT"))
    await load(driver, csv(tmp_path, [row(5 + 5 * number) for number in range(20)], "five.csv"))
    assert (await load(driver, path)).written == WriteCounts(new=20)
    assert await driver.fetchval("SELECT count(*) FROM candles") == 60


async def test_nothing_is_stored_of_a_file_with_a_malformed_row_at_its_end(
    driver: DriverConnection, tmp_path: Path
) -> None:
    with pytest.raises(MalformedRows):
        await load(driver, csv(tmp_path, [*minutes(300), row(300, close="?")]))
    assert await stored(driver) == []


async def test_nothing_is_stored_of_a_file_that_changes_while_it_is_read(
    driver: DriverConnection, tmp_path: Path
) -> None:
    path = csv(tmp_path, minutes(300))
    changing = ImportProgress(SILENT.checked, lambda _: csv(tmp_path, minutes(400)), SILENT.loaded)
    with pytest.raises(UnusableFileError, match="it was changed while it was read"):
        await load_file(
            read_options(path),
            BTC,
            lambda summary: BulkCandleWriter(driver, BTC, summary.timeframe),
            OnConflict.REPLACE,
            changing,
            fill_gaps=False,
        )
    assert await stored(driver) == []


async def test_missing_minutes_are_reported_and_filled_only_where_it_is_asked(
    driver: DriverConnection, tmp_path: Path
) -> None:
    closes = {0: "42000", 1: "42001", 4: "42002"}
    path = csv(tmp_path, [row(minute, close=close) for minute, close in closes.items()])
    assert [(await load(driver, path)).summary.missing, len(await stored(driver))] == [2, 3]
    await driver.execute("UPDATE candles SET close = 41999.99 WHERE open_time = $1", START + MINUTE)
    assert (await load(driver, path, OnConflict.KEEP, fill_gaps=True)).filled == 2
    empty = Decimal("41999.99")
    assert await stored(driver) == [
        (START, Decimal(42000), Decimal("0.5")),
        (START + MINUTE, empty, Decimal("0.5")),
        (START + 2 * MINUTE, empty, Decimal(0)),
        (START + 3 * MINUTE, empty, Decimal(0)),
        (START + 4 * MINUTE, Decimal(42002), Decimal("0.5")),
    ]
    assert (await load(driver, path, OnConflict.KEEP, fill_gaps=True)).filled == 0


async def test_a_candle_that_a_collector_stores_at_the_same_moment_is_no_failure(
    driver: DriverConnection, pool: Pool, tmp_path: Path
) -> None:
    await BulkCandleWriter(driver, BTC, Timeframe.M1).ensure_months(START, START + 500 * MINUTE)
    async with pool.acquire() as collector, asyncio.timeout(PATIENCE_SECONDS):
        transaction = collector.transaction()
        await transaction.start()
        await insert(collector, [150])
        loading = asyncio.create_task(load(driver, csv(tmp_path, minutes(200)), OnConflict.KEEP))
        await somebody_waits_for_a_lock(pool)
        await transaction.commit()
        assert (await loading).written == WriteCounts(new=199, kept=1)
    assert [len(await stored(driver)), (await stored(driver, "close"))[150]] == [200, (1,)]


async def test_an_import_that_is_killed_in_the_middle_leaves_nothing(
    driver: DriverConnection, pool: Pool, database_dsn: str, tmp_path: Path
) -> None:
    path = csv(tmp_path, minutes(2_000))
    await BulkCandleWriter(driver, BTC, Timeframe.M1).ensure_months(START, START + 5_000 * MINUTE)
    environment = engine_environment(R3EDGE_DATABASE_URL=database_dsn, R3EDGE_DATA_DIR=str(tmp_path / "data"))
    command = [PROGRAM, "import", "candles", path, "--market", str(BTC)]
    async with pool.acquire() as other:
        transaction = other.transaction()
        await transaction.start()
        await other.execute(IDLE_AS_LONG_AS_IT_TAKES)
        await insert(other, [1_990])
        process = await asyncio.create_subprocess_exec(*command, env=environment, cwd=ROOT)
        await somebody_waits_for_a_lock(pool)
        process.kill()
        await process.wait()
        await transaction.rollback()
    await nobody_else_works(driver)
    assert await stored(driver) == []
    assert (await load(driver, path)).written == WriteCounts(new=2_000)


async def test_the_coinbase_files_come_in_exactly(driver: DriverConnection) -> None:
    skip_without(COINBASE)
    assert (await load(driver, COINBASE / "btcusd_daily.zip", block_bytes=65_536)).written == WriteCounts(new=1_318)
    (first,) = await stored_at(driver, "2014-12-01")
    assert first == (Decimal(300), Decimal(370), Decimal(300), Decimal(370), Decimal("0.05655554"))
    for day in (4, 5, 6):
        await load(driver, COINBASE / f"btcusd_minute_2018040{day}.zip", block_bytes=65_536)
    assert await driver.fetchval("SELECT count(*) FROM candles WHERE timeframe = 'M1'") == 1_007 + 1_440 + 1_440


async def test_floats_of_parquet_are_stored_as_the_number_that_was_meant(
    driver: DriverConnection, tmp_path: Path
) -> None:
    meant = [f"{random.Random(number).randint(1, 10**9)}e-{number % 12}" for number in range(300)]
    floats = [float(text) for text in meant]
    frame = {"timestamp": [int(START.timestamp()) + 60 * number for number in range(300)]}
    frame |= dict.fromkeys(("open", "high", "low", "close", "volume"), floats)
    pl.DataFrame(frame).write_parquet(tmp_path / "floats.parquet")
    await load(driver, tmp_path / "floats.parquet")
    assert await stored(driver, "close") == [(Decimal(text),) for text in meant]


async def insert(driver: DriverConnection, minutes: Sequence[int]) -> None:
    """Store candles at the price of 1."""
    values = [(str(BTC), "M1", START + minute * MINUTE) for minute in minutes]
    await driver.executemany("INSERT INTO candles VALUES ($1, $2, $3, 1, 1, 1, 1, 1)", values)


async def stored_at(driver: DriverConnection, day: str) -> list[tuple[object, ...]]:
    rows = await driver.fetch(
        "SELECT open, high, low, close, volume FROM candles WHERE open_time = $1::text::timestamptz", day
    )
    return [tuple(record) for record in rows]


async def nobody_else_works(driver: DriverConnection) -> None:
    """Wait until the server has noticed that a client is gone."""
    query = """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle'
        AND pid <> pg_backend_pid()"""
    active = [await driver.fetchval(query)]

    async def poll() -> None:
        while active[0]:
            active[0] = await driver.fetchval(query)

    polling = asyncio.create_task(poll())
    await eventually(polling.done, "the server has noticed that its client is gone")
