"""Trades and snapshots of old months become files, and every query answers as before, whatever interrupts it."""

import asyncio
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from domain.core.errors import Unavailable
from domain.core.pagination import TimeKeysetPage
from domain.model.archive import BatchState
from domain.model.markets import Trade
from infra.archive_storage.folder import FolderStorage
from infra.postgres.archive.archiver import RunResult, Step
from infra.postgres.archive.lock import ArchiveBusy
from infra.postgres.archive.manifest import Manifest
from infra.postgres.archive.restoring import restore_month, verify_files
from infra.postgres.connection import Connection
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from tests.support.archive import APRIL, FEBRUARY, JANUARY, MARCH, Reader, archiver, reader
from tests.support.archived_market_data import (
    SEVERAL_FILES,
    market_answers,
    save_trades,
    store_market_data,
    trade_at,
    trade_pages,
    trades_of,
)
from tests.support.interrupting import Interrupted, interrupt_at
from tests.support.trading import BTC, ETH

HOUR = timedelta(hours=1)


class Counting(FolderStorage):
    """Keeps the names of the files that were read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.read_names: list[str] = []

    async def read(self, name: str) -> bytes:
        self.read_names.append(name)
        return await super().read(name)


@pytest.fixture
def storage(tmp_path: Path) -> Counting:
    return Counting(tmp_path)


@pytest.fixture
async def stored(database: PostgresDatabase, pool: Pool) -> PostgresDatabase:
    await store_market_data(database, pool)
    return database


async def _run(pool: Pool, storage: Any, **options: Any) -> RunResult:
    return await archiver(pool, storage, **({"tables": SEVERAL_FILES} | options)).run(APRIL)


async def _rows(pool: Pool) -> tuple[int, int]:
    text = "SELECT (SELECT count(*) FROM trades) AS trades, (SELECT count(*) FROM depth_snapshots) AS depths"
    found = await pool.fetchrow(text)
    assert found is not None
    return found["trades"], found["depths"]


async def _batches(pool: Pool) -> list[tuple[str, int, str]]:
    async with pool.acquire() as driver:
        batches = await Manifest(Connection(driver)).batches()
    return [(batch.table, batch.month.month, batch.state.value) for batch in batches]


async def test_every_query_answers_the_same_once_months_are_archived(
    stored: PostgresDatabase, pool: Pool, storage: Counting
) -> None:
    expected = await market_answers(reader(pool, storage))
    assert expected[f"pages {BTC}"] == trades_of(BTC)
    await archiver(pool, storage, tables=SEVERAL_FILES).run({"trades": MARCH, "depth_snapshots": FEBRUARY})
    assert await _batches(pool) == [
        ("depth_snapshots", 1, "DROPPED"), ("trades", 1, "DROPPED"), ("trades", 2, "DROPPED"),
    ]  # fmt: skip
    assert await _rows(pool) == (210, 200)
    assert await market_answers(reader(pool, storage)) == expected
    await _run(pool, storage)
    assert await _rows(pool) == (0, 0)
    assert await market_answers(reader(pool, storage)) == expected
    assert len([check async for check in verify_files(pool, storage) if check.error is None]) > 24


async def test_rows_stay_for_the_time_of_grace_and_count_once(
    stored: PostgresDatabase, pool: Pool, storage: Counting
) -> None:
    expected, rows = await market_answers(reader(pool, storage)), await _rows(pool)
    await _run(pool, storage, grace=HOUR)
    assert await _rows(pool) == rows
    assert {state for _, _, state in await _batches(pool)} == {"VERIFIED"}
    assert await market_answers(reader(pool, storage)) == expected


@pytest.mark.parametrize("step", list(Step))
async def test_a_run_that_is_interrupted_loses_and_doubles_nothing(
    step: Step, stored: PostgresDatabase, pool: Pool, storage: Counting
) -> None:
    expected = await market_answers(reader(pool, storage))
    if step is Step.CLEANED:
        with pytest.raises(Interrupted):
            await _run(pool, storage, on_step=interrupt_at(Step.FILE_WRITTEN, 1))
    for time in (1,) if step is Step.CLEANED else (2, 3):  # of the second table, as one month more is done each time
        with pytest.raises(Interrupted):
            await _run(pool, storage, on_step=interrupt_at(step, time))
        assert await market_answers(reader(pool, storage)) == expected
    await _run(pool, storage)
    assert await market_answers(reader(pool, storage)) == expected
    assert await _rows(pool) == (0, 0)
    assert {state for _, _, state in await _batches(pool)} == {"DROPPED"}
    assert {check.error async for check in verify_files(pool, storage)} == {None}


@pytest.mark.parametrize("step", [step for step in Step if step is not Step.CLEANED])
async def test_a_process_that_is_killed_loses_and_doubles_nothing(
    step: Step, stored: PostgresDatabase, pool: Pool, storage: Counting, database_dsn: str, tmp_path: Path
) -> None:
    expected = await market_answers(reader(pool, storage))
    arguments = [sys.executable, "-m", "tests.support.killed_archiver", database_dsn, str(tmp_path), step.value]
    ended = await asyncio.to_thread(subprocess.run, arguments, check=False, timeout=60)
    assert ended.returncode == -9
    assert await market_answers(reader(pool, storage)) == expected
    async with asyncio.timeout(20):  # until PostgreSQL has noticed, the lock is the dead process's
        while True:
            try:
                await _run(pool, storage)
                break
            except ArchiveBusy:
                await asyncio.sleep(0.05)
    assert await market_answers(reader(pool, storage)) == expected
    assert await _rows(pool) == (0, 0)


async def test_trades_that_are_imported_again_later_count_once(
    stored: PostgresDatabase, pool: Pool, storage: Counting
) -> None:
    late = [
        trade_at(JANUARY + timedelta(hours=7), "late"),
        trade_at(MARCH + timedelta(days=3, seconds=9), "later", ETH),
    ]
    await save_trades(stored, late)
    expected = await market_answers(reader(pool, storage))
    sums = await _sums(pool)
    await pool.execute("TRUNCATE trades, minute_volumes")
    await save_trades(stored, [*trades_of(BTC), *trades_of(ETH)])

    await _run(pool, storage)
    again = reader(pool, storage).database
    await save_trades(again, [*trades_of(BTC)[100:], *late, *trades_of(ETH)])
    assert await _rows(pool) == (2, 0)
    assert await _sums(pool) == sums
    assert await market_answers(reader(pool, storage)) == expected
    await _run(pool, storage)
    assert await _rows(pool) == (0, 0)
    await save_trades(again, late)
    assert await _rows(pool) == (0, 0)
    assert await market_answers(reader(pool, storage)) == expected


async def test_a_restored_month_is_as_it_was_and_can_be_archived_again(
    stored: PostgresDatabase, pool: Pool, storage: Counting
) -> None:
    expected = await market_answers(reader(pool, storage))
    rows, sums = await _months(pool), await _sums(pool)
    await _run(pool, storage)
    for month in (JANUARY, FEBRUARY, MARCH):
        assert await restore_month(pool, storage, month, "trades") == 210
        assert await restore_month(pool, storage, month) == 100  # the snapshots
    assert await _months(pool) == rows
    assert await _sums(pool) == sums
    assert await market_answers(reader(pool, storage)) == expected
    await archiver(pool, storage, tables=SEVERAL_FILES).run(APRIL, JANUARY)
    assert await _rows(pool) == (420, 200)
    assert await market_answers(reader(pool, storage)) == expected
    assert {state for _, month, state in await _batches(pool) if month == 1} == {BatchState.DROPPED.value}


async def test_a_query_that_needs_no_old_month_reads_no_file(
    stored: PostgresDatabase, pool: Pool, storage: Counting
) -> None:
    await archiver(pool, storage, tables=SEVERAL_FILES).run(MARCH)
    known = reader(pool, storage)
    storage.read_names.clear()
    found = await _recent(known)
    assert found == [trade for trade in trades_of(BTC) if trade.at >= MARCH][-20:]
    assert not storage.read_names
    await _page(known, TimeKeysetPage(20))
    assert len(storage.read_names) == 1  # the first of several files of the first month


@pytest.mark.parametrize("damage", ["cut", "absent"])
async def test_a_query_fails_and_names_the_file_rather_than_leave_rows_out(
    damage: str, stored: PostgresDatabase, pool: Pool, storage: Counting, tmp_path: Path
) -> None:
    await archiver(pool, storage, tables=SEVERAL_FILES).run(MARCH)
    for file in files_in(tmp_path):
        if damage == "absent":
            file.unlink()
        else:
            file.write_bytes(file.read_bytes()[:-20])
    known = reader(pool, storage)
    with pytest.raises(Unavailable, match=r"file trades/2024-01/\d+T\d+/sandbox/BTC_USDT/0001\.parquet"):
        await _page(known, TimeKeysetPage(10))
    async with known.database.read_only() as reading:
        with pytest.raises(Unavailable, match=r"file trades/2024-01/"):
            await reading.market_history.traded_range(BTC, JANUARY, MARCH)
        with pytest.raises(Unavailable, match=r"file depth_snapshots/2024-0[12]/"):
            await reading.market_history.depth_history(BTC, JANUARY, MARCH, 86_400, 5)
    with pytest.raises(Unavailable, match=r"file trades/2024-02/"):
        await save_trades(known.database, [trade_at(FEBRUARY, "1000")])
    assert len(await _recent(known)) == 20


@pytest.mark.parametrize("table", ["trades", "depth_snapshots"])
async def test_nothing_is_dropped_if_a_file_is_not_what_was_written(
    table: str, stored: PostgresDatabase, pool: Pool, storage: Counting, tmp_path: Path
) -> None:
    expected, rows = await market_answers(reader(pool, storage)), await _rows(pool)
    await _run(pool, storage, grace=HOUR)
    file = files_in(tmp_path / table / "2024-02")[0]
    file.write_bytes(file.read_bytes()[:-20])
    failed = (await _run(pool, storage)).failed
    assert [(failure.table, failure.month) for failure in failed] == [(table, FEBRUARY)]
    assert await _rows(pool) == {"trades": (rows[0] // 3, 0), "depth_snapshots": (0, rows[1] // 3)}[table]
    assert await market_answers(reader(pool, storage)) == expected
    assert not (await _run(pool, storage)).failed
    assert await _rows(pool) == (0, 0)
    assert await market_answers(reader(pool, storage)) == expected


async def test_a_number_that_fits_into_no_file_keeps_its_month_in_the_database(
    stored: PostgresDatabase, pool: Pool, storage: Counting
) -> None:
    odd = trade_at(FEBRUARY, "odd")
    await save_trades(stored, [Trade(BTC, odd.venue_trade_id, odd.at, Decimal("1e-39"), odd.quantity, odd.side)])
    await pool.execute("""UPDATE depth_snapshots SET bids = '[["1e39", "1"]]' WHERE at < '2024-01-02'""")
    expected = await market_answers(reader(pool, storage))
    result = await _run(pool, storage)
    assert [(failure.table, failure.month) for failure in result.failed] == [
        ("trades", FEBRUARY), ("depth_snapshots", JANUARY),
    ]  # fmt: skip
    assert await market_answers(reader(pool, storage)) == expected


async def _page(known: Reader, page: TimeKeysetPage) -> list[Trade]:
    async with known.database.read_only() as reading:
        return await reading.market_data.trades(BTC, page)


async def _recent(known: Reader) -> list[Trade]:
    return await _page(known, TimeKeysetPage(20, backwards=True))


async def _sums(pool: Pool) -> list[tuple[Any, ...]]:
    rows = await pool.fetch("SELECT * FROM minute_volumes ORDER BY market, minute, price")
    return [tuple(row) for row in rows]


async def _months(pool: Pool) -> list[tuple[Any, ...]]:
    """Return all rows; numbers and the levels of books as numbers, since 1.50 may come back as 1.5."""
    trades = await pool.fetch("SELECT * FROM trades ORDER BY market, at, venue_trade_id")
    depths = await pool.fetch("""
        SELECT market, at, epoch, sequence, venue_time, ARRAY(
            SELECT (number#>>'{}')::numeric FROM jsonb_array_elements(bids || asks) AS level,
                jsonb_array_elements(level) AS number
        ) AS numbers, jsonb_array_length(bids) AS bids FROM depth_snapshots ORDER BY market, at, epoch, sequence""")
    return [tuple(row) for row in (*trades, *depths)]


async def test_all_pages_of_a_stretch_are_the_same_in_both_directions(
    stored: PostgresDatabase, pool: Pool, storage: Counting
) -> None:
    await archiver(pool, storage, tables=SEVERAL_FILES).run(MARCH)
    start, end = JANUARY + timedelta(days=2, microseconds=7), MARCH + timedelta(days=3, seconds=70)
    expected = [trade for trade in trades_of(BTC) if start <= trade.at < end]
    async with reader(pool, storage).database.read_only() as reading:
        for backwards in (False, True):
            assert await trade_pages(reading, BTC, 3, backwards=backwards, start=start, end=end) == expected


def files_in(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.parquet"))
