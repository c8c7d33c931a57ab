"""Old months become files, and every query answers as before: at each step, and whatever interrupts it."""

import asyncio
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from domain.core.errors import Unavailable
from domain.core.pagination import TimeKeysetPage
from domain.model.archive import BatchState
from domain.model.markets import Timeframe
from infra.archive_storage.folder import FolderStorage
from infra.cli.candle_backfill import copy_lines
from infra.postgres.archive.archived_candles import ArchivedCandles
from infra.postgres.archive.archiver import Step
from infra.postgres.archive.lock import ArchiveBusy, locked_archive
from infra.postgres.archive.manifest import Manifest
from infra.postgres.archive.restoring import NotArchived, restore_month, verify_files
from infra.postgres.bulk_candles import BulkCandleWriter, OnConflict, WriteCounts
from infra.postgres.connection import Connection
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from tests.support.archive import (
    APRIL,
    FEBRUARY,
    JANUARY,
    MARCH,
    answers,
    archiver,
    candle_at,
    reader,
    store_history,
)
from tests.support.interrupting import Interrupted, interrupt_at
from tests.support.trading import BTC, ETH


@pytest.fixture
def storage(tmp_path: Path) -> FolderStorage:
    return FolderStorage(tmp_path)


@pytest.fixture
async def stored(database: PostgresDatabase) -> PostgresDatabase:
    await store_history(database)
    return database


async def _rows(pool: Pool) -> int:
    found: int = await pool.fetchval("SELECT count(*) FROM candles")
    return found


async def _states(pool: Pool) -> list[tuple[int, str]]:
    async with pool.acquire() as driver:
        return [(batch.month.month, batch.state.value) for batch in await Manifest(Connection(driver)).batches()]


async def _correct(database: PostgresDatabase, *candles: object) -> None:
    async with database.transaction() as transaction:
        await transaction.market_data.ensure_candle_partitions(JANUARY, MARCH)
        await transaction.market_data.upsert_candles(candles)  # type: ignore[arg-type]


async def test_every_query_answers_the_same_once_months_are_archived(
    stored: PostgresDatabase, pool: Pool, storage: FolderStorage
) -> None:
    expected, rows = await answers(reader(pool, storage)), await _rows(pool)
    written = await archiver(pool, storage).run(MARCH)
    assert [batch.month for batch in written.written] == [JANUARY, FEBRUARY]
    assert [batch.state for batch in written.dropped] == [BatchState.DROPPED] * 2
    assert not written.failed
    assert await _rows(pool) < rows / 2
    assert await answers(reader(pool, storage)) == expected
    await archiver(pool, storage).run(APRIL)
    assert await _rows(pool) == 0
    assert await answers(reader(pool, storage)) == expected


async def test_rows_stay_for_the_time_of_grace_and_count_once(
    stored: PostgresDatabase, pool: Pool, storage: FolderStorage
) -> None:
    expected, rows = await answers(reader(pool, storage)), await _rows(pool)
    for _ in range(2):
        await archiver(pool, storage, grace=timedelta(hours=1)).run(APRIL)
        assert await _rows(pool) == rows
        assert await answers(reader(pool, storage)) == expected
    assert await _states(pool) == [(1, "VERIFIED"), (2, "VERIFIED"), (3, "VERIFIED")]


async def test_a_reader_that_knows_an_older_manifest_lacks_nothing(
    stored: PostgresDatabase, pool: Pool, storage: FolderStorage
) -> None:
    await archiver(pool, storage, grace=timedelta(hours=1)).run(APRIL)
    known = reader(pool, storage)
    expected = await answers(known)
    archive = known.bars._archive  # its clock stands still from now on
    assert archive is not None
    archive._files._monotonic = lambda: 0.0  # as above
    await archiver(pool, storage).run(APRIL)
    assert await _rows(pool) == 0
    assert await answers(known) == expected


@pytest.mark.parametrize("step", list(Step))
async def test_a_run_that_is_interrupted_loses_and_doubles_nothing(
    step: Step, stored: PostgresDatabase, pool: Pool, storage: FolderStorage
) -> None:
    expected = await answers(reader(pool, storage))
    if step is Step.CLEANED:
        with pytest.raises(Interrupted):
            await archiver(pool, storage, on_step=interrupt_at(Step.FILE_WRITTEN, 1)).run(APRIL)
    for time in (1, 2):
        with pytest.raises(Interrupted):
            await archiver(pool, storage, on_step=interrupt_at(step, 1 if step is Step.CLEANED else time)).run(APRIL)
        assert await answers(reader(pool, storage)) == expected
    await archiver(pool, storage).run(APRIL)
    assert await answers(reader(pool, storage)) == expected
    assert await _rows(pool) == 0
    assert [state for _, state in await _states(pool)] == ["DROPPED"] * 3
    assert [check.error async for check in verify_files(pool, storage)] == [None] * 6


@pytest.mark.parametrize("step", [step for step in Step if step is not Step.CLEANED])
async def test_a_process_that_is_killed_loses_and_doubles_nothing(
    step: Step, stored: PostgresDatabase, pool: Pool, storage: FolderStorage, database_dsn: str, tmp_path: Path
) -> None:
    expected = await answers(reader(pool, storage))
    arguments = [sys.executable, "-m", "tests.support.killed_archiver", database_dsn, str(tmp_path), step.value]
    ended = await asyncio.to_thread(subprocess.run, arguments, check=False, timeout=60)
    assert ended.returncode == -9
    assert await answers(reader(pool, storage)) == expected
    async with asyncio.timeout(20):  # until PostgreSQL has noticed, the lock is the dead process's
        while True:
            try:
                await archiver(pool, storage).run(APRIL)
                break
            except ArchiveBusy:
                await asyncio.sleep(0.05)
    assert await answers(reader(pool, storage)) == expected
    assert await _rows(pool) == 0


async def test_files_that_nobody_finished_are_deleted(
    stored: PostgresDatabase, pool: Pool, storage: FolderStorage, tmp_path: Path
) -> None:
    with pytest.raises(Interrupted):
        await archiver(pool, storage, on_step=interrupt_at(Step.FILE_WRITTEN, 2)).run(APRIL)
    left = set(_files(tmp_path))
    assert len(left) == 2
    await archiver(pool, storage).run(APRIL)
    written = set(_files(tmp_path))
    assert len(written) == 6
    assert not written & left


async def test_late_corrections_are_kept_with_the_archived_candles_and_count(
    stored: PostgresDatabase, pool: Pool, storage: FolderStorage
) -> None:
    await archiver(pool, storage).run(APRIL)
    late = [
        candle_at(JANUARY, high=Decimal(99_000), volume=Decimal("123.456789")),
        candle_at(JANUARY + timedelta(days=16, hours=3)),
        candle_at(FEBRUARY + timedelta(hours=5), Timeframe.D1, low=Decimal(1)),
        candle_at(MARCH + timedelta(minutes=3), Timeframe.M1, close=Decimal("41999.5")),
    ]
    await _correct(reader(pool, storage).database, *late)
    expected = await answers(reader(pool, storage))
    pages = expected["pages sandbox:BTC/USDT H1"]
    assert pages[0] == late[0]
    assert late[1] in pages
    assert await _rows(pool) == 4
    await archiver(pool, storage).run(APRIL)
    assert await _rows(pool) == 0
    assert await answers(reader(pool, storage)) == expected
    await restore_month(pool, storage, JANUARY)
    assert await answers(reader(pool, storage)) == expected


async def test_corrections_give_the_answers_that_they_give_without_an_archive(
    stored: PostgresDatabase, pool: Pool, storage: FolderStorage
) -> None:
    corrected = [
        replace(candle_at(JANUARY + hour * timedelta(hours=7)), high=Decimal(60_000 + hour)) for hour in range(99)
    ]
    await _correct(stored, *corrected)
    expected = await answers(reader(pool, storage))
    original = [candle_at(candle.open_time) for candle in corrected]
    await _correct(stored, *original)
    await archiver(pool, storage).run(APRIL)
    await _correct(reader(pool, storage).database, *corrected)
    assert await answers(reader(pool, storage)) == expected


async def test_a_candle_that_was_built_here_does_not_replace_an_archived_one(
    stored: PostgresDatabase, pool: Pool, storage: FolderStorage
) -> None:
    expected = await answers(reader(pool, storage))
    await archiver(pool, storage).run(APRIL)
    missing = candle_at(JANUARY + timedelta(days=16, hours=3))
    async with reader(pool, storage).database.transaction() as transaction:
        await transaction.market_data.insert_candles(
            [candle_at(JANUARY, close=Decimal(1)), candle_at(MARCH, Timeframe.D1, ETH, close=Decimal(1)), missing]
        )
    assert await _rows(pool) == 1
    found = await answers(reader(pool, storage))
    assert [candle for candle in found["pages sandbox:BTC/USDT H1"] if candle != missing] == (
        expected["pages sandbox:BTC/USDT H1"]
    )
    assert found["pages sandbox:ETH/USDT D1"] == expected["pages sandbox:ETH/USDT D1"]


async def test_rows_that_changed_before_they_were_dropped_are_archived_again(
    stored: PostgresDatabase, pool: Pool, storage: FolderStorage, tmp_path: Path
) -> None:
    await archiver(pool, storage, grace=timedelta(hours=1)).run(FEBRUARY)
    await _correct(stored, candle_at(JANUARY, high=Decimal(99_000)))
    expected = await answers(reader(pool, storage))
    assert (await archiver(pool, storage).run(FEBRUARY)).dropped == ()
    assert await _states(pool) == [(1, "SUPERSEDED")]
    assert await answers(reader(pool, storage)) == expected
    await archiver(pool, storage).run(FEBRUARY)
    assert await _states(pool) == [(1, "DROPPED")]
    assert await answers(reader(pool, storage)) == expected
    assert len(_files(tmp_path)) == 2


@pytest.mark.parametrize("damage", ["cut", "changed", "absent"])
async def test_nothing_is_dropped_if_a_file_is_not_what_was_written(
    damage: str, stored: PostgresDatabase, pool: Pool, storage: FolderStorage, tmp_path: Path
) -> None:
    expected = await answers(reader(pool, storage))
    await archiver(pool, storage, grace=timedelta(hours=1)).run(FEBRUARY)
    rows = await _rows(pool)
    _damage(_files(tmp_path)[0], damage)
    result = await archiver(pool, storage).run(FEBRUARY)
    assert not result.dropped
    assert [failure.month for failure in result.failed] == [JANUARY]
    assert await _rows(pool) == rows
    assert await answers(reader(pool, storage)) == expected
    assert await _states(pool) == [(1, "SUPERSEDED")]
    assert not (await archiver(pool, storage).run(FEBRUARY)).failed
    assert await _rows(pool) < rows
    assert await answers(reader(pool, storage)) == expected


async def test_a_storage_that_returns_something_else_archives_nothing(
    stored: PostgresDatabase, pool: Pool, tmp_path: Path
) -> None:
    rows = await _rows(pool)
    result = await archiver(pool, _Forgetful(tmp_path)).run(FEBRUARY)
    assert [failure.month for failure in result.failed] == [JANUARY]
    assert not result.written
    assert await _rows(pool) == rows


@pytest.mark.parametrize("damage", ["cut", "changed", "absent"])
async def test_files_are_verified_against_the_manifest(
    damage: str, stored: PostgresDatabase, pool: Pool, storage: FolderStorage, tmp_path: Path
) -> None:
    await archiver(pool, storage).run(FEBRUARY)
    assert [check.error async for check in verify_files(pool, storage)] == [None, None]
    _damage(_files(tmp_path)[1], damage)
    assert [check.error is None async for check in verify_files(pool, storage)] == [True, False]


async def test_a_month_that_is_not_archived_is_not_restored(pool: Pool, storage: FolderStorage) -> None:
    with pytest.raises(NotArchived, match="2024-01 isn't archived"):
        await restore_month(pool, storage, JANUARY)


async def test_a_bulk_import_compares_with_archived_candles(
    stored: PostgresDatabase, pool: Pool, storage: FolderStorage
) -> None:
    expected = await answers(reader(pool, storage))
    await archiver(pool, storage).run(APRIL)
    missing = candle_at(JANUARY + timedelta(days=16))
    given = [candle_at(JANUARY), candle_at(JANUARY + timedelta(hours=1), close=Decimal(1)), missing]
    async with pool.acquire() as driver:
        writer = BulkCandleWriter(driver, BTC, Timeframe.H1, ArchivedCandles(storage))
        async with writer.transaction():
            first, last = given[0].open_time, given[-1].open_time
            counts = await writer.write(copy_lines(given), first, last, OnConflict.KEEP)
    assert counts == WriteCounts(new=1, kept=1, unchanged=1)
    for _ in range(2):
        found = await answers(reader(pool, storage))
        pages = expected["pages sandbox:BTC/USDT H1"]
        assert found["pages sandbox:BTC/USDT H1"] == sorted([*pages, missing], key=lambda candle: candle.open_time)
        await archiver(pool, storage).run(APRIL)
        assert await _rows(pool) == 0


async def test_gaps_of_archived_months_are_filled_after_archived_candles(
    stored: PostgresDatabase, pool: Pool, storage: FolderStorage
) -> None:
    await archiver(pool, storage).run(APRIL)
    gap = JANUARY + timedelta(days=16)
    async with pool.acquire() as driver:
        writer = BulkCandleWriter(driver, BTC, Timeframe.H1, ArchivedCandles(storage))
        async with writer.transaction():
            assert await writer.fill_gaps(JANUARY, FEBRUARY - timedelta(hours=1)) == 24
    async with reader(pool, storage).database.read_only() as reading:
        page = TimeKeysetPage(24, start=gap)
        filled = await reading.market_data.candles(BTC, Timeframe.H1, page)
    assert {(candle.close, candle.volume) for candle in filled} == {
        (candle_at(gap - timedelta(hours=1)).close, Decimal(0))
    }


@pytest.mark.parametrize("damage", ["cut", "absent"])
async def test_a_query_fails_rather_than_leave_archived_candles_out(
    damage: str, stored: PostgresDatabase, pool: Pool, storage: FolderStorage, tmp_path: Path
) -> None:
    await archiver(pool, storage).run(APRIL)
    for file in _files(tmp_path):
        _damage(file, damage)
    with pytest.raises(Unavailable, match="archive"):
        await answers(reader(pool, storage))
    with pytest.raises(Unavailable, match="archive"):
        await restore_month(pool, storage, JANUARY)


async def test_a_restored_month_stays_until_it_is_archived_by_hand(
    stored: PostgresDatabase, pool: Pool, storage: FolderStorage
) -> None:
    expected = await answers(reader(pool, storage))
    await archiver(pool, storage).run(APRIL)
    restored = await restore_month(pool, storage, FEBRUARY)
    assert restored == await _rows(pool) > 0
    assert await restore_month(pool, storage, FEBRUARY) == 0
    await archiver(pool, storage).run(APRIL)
    assert await _rows(pool) == restored
    assert await answers(reader(pool, storage)) == expected
    await archiver(pool, storage).run(APRIL, FEBRUARY)
    assert await _rows(pool) == 0
    assert await answers(reader(pool, storage)) == expected


async def test_only_one_archives_or_restores_at_a_time(
    stored: PostgresDatabase, pool: Pool, storage: FolderStorage
) -> None:
    async with locked_archive(pool):  # as a run that goes on
        with pytest.raises(ArchiveBusy):
            await archiver(pool, storage).run(APRIL)
        with pytest.raises(ArchiveBusy):
            await restore_month(pool, storage, JANUARY)
    assert len((await archiver(pool, storage).run(APRIL)).dropped) == 3


async def test_numbers_of_any_length_come_back_exactly(
    database: PostgresDatabase, pool: Pool, storage: FolderStorage
) -> None:
    small = candle_at(
        JANUARY, low=Decimal("0.000000000123456789"), volume=Decimal("123456789012345.123456789012345678")
    )
    large = candle_at(
        JANUARY + timedelta(hours=1, microseconds=999_000), high=Decimal(98765432109876543210), volume=Decimal(0)
    )
    async with database.transaction() as transaction:
        await transaction.market_data.ensure_candle_partitions(JANUARY, MARCH)
        await transaction.market_data.upsert_candles([small, large])
    expected = await answers(reader(pool, storage))
    await archiver(pool, storage).run(APRIL)
    assert await _rows(pool) == 0
    assert await answers(reader(pool, storage)) == expected


async def test_a_number_that_fits_into_no_file_keeps_its_month_in_the_database(
    stored: PostgresDatabase, pool: Pool, storage: FolderStorage
) -> None:
    await _correct(stored, candle_at(FEBRUARY, volume=Decimal("1e39")))
    expected = await answers(reader(pool, storage))
    result = await archiver(pool, storage).run(APRIL)
    assert [failure.month for failure in result.failed] == [FEBRUARY]
    assert [batch.month for batch in result.dropped] == [JANUARY, MARCH]
    assert await answers(reader(pool, storage)) == expected


def _files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.parquet"))


def _damage(file: Path, damage: str) -> None:
    content = file.read_bytes()
    if damage == "absent":
        file.unlink()
    elif damage == "cut":
        file.write_bytes(content[:-20])
    else:
        file.write_bytes(content[:40] + bytes([content[40] ^ 1]) + content[41:])


class _Forgetful(FolderStorage):
    """Returns the first file that was written, whichever is asked for."""

    _first: str | None = None

    async def write(self, name: str, content: bytes) -> None:
        await super().write(name, content)
        self._first = self._first or name

    async def read(self, name: str) -> bytes:
        return await super().read(self._first or name)
