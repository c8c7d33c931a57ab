"""What could lose archived candles without a crash: other nodes, other folders, dumps, and long or many readers."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from domain.core.errors import Unavailable
from domain.core.pagination import TimeKeysetPage
from domain.model.markets import Timeframe
from domain.model.reports import Extremes, Span
from infra.archive_storage.folder import FolderStorage
from infra.clock import SystemClock
from infra.embedded.bus import EmbeddedBus
from infra.postgres.archive.manifest import Manifest
from infra.postgres.connection import Connection
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from tests.support.archive import (
    APRIL,
    FEBRUARY,
    JANUARY,
    MARCH,
    all_pages,
    answers,
    archiver,
    candle_at,
    reader,
    store_history,
)
from tests.support.moved_clock import needs_database_timeouts
from tests.support.postgres import patient_database
from tests.support.trading import BTC

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
MINUTES = """
INSERT INTO candles SELECT 'sandbox:BTC/USDT', 'M1', $1::timestamptz + n * interval '1 minute', 100, 101 + n, 99, 100, 1
FROM generate_series(0, 44639) AS n"""


class Counting(FolderStorage):
    """Counts the readings of each file, which take a turn of the event loop."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.read_names: list[str] = []

    async def read(self, name: str) -> bytes:
        self.read_names.append(name)
        await asyncio.sleep(0)
        return await super().read(name)


@pytest.fixture
def storage(tmp_path: Path) -> Counting:
    return Counting(tmp_path / "archive")


@pytest.fixture
async def stored(database: PostgresDatabase) -> PostgresDatabase:
    await store_history(database)
    return database


async def _states(pool: Pool) -> list[str]:
    async with pool.acquire() as driver:
        return [batch.state.value for batch in await Manifest(Connection(driver)).batches()]


@pytest.mark.parametrize("grace", [HOUR, timedelta(0)])
async def test_a_node_without_the_setting_refuses_what_another_archives(
    grace: timedelta, stored: PostgresDatabase, pool: Pool, storage: Counting
) -> None:
    without = reader(pool, None)
    expected = await answers(without)
    await archiver(pool, storage, grace=grace).run(FEBRUARY)
    with pytest.raises(Unavailable, match="R3EDGE_ARCHIVE must name the folder"):
        await answers(without)
    async with without.database.read_only() as reading:
        page = TimeKeysetPage(333, start=FEBRUARY)
        later = [candle for candle in expected["pages sandbox:BTC/USDT H1"] if candle.open_time >= FEBRUARY]
        assert await reading.market_data.candles(BTC, Timeframe.H1, page) == later[:333]
    with pytest.raises(Unavailable, match="R3EDGE_ARCHIVE must name the folder"):
        await without.bars.read(BTC, Timeframe.H1, JANUARY, APRIL, lambda _rows: None)


async def test_a_database_that_was_given_no_archive_refuses_rather_than_lack_candles(
    stored: PostgresDatabase, pool: Pool, storage: Counting
) -> None:
    await archiver(pool, storage).run(APRIL)
    forgotten = patient_database(pool, EmbeddedBus(), SystemClock())
    async with forgotten.read_only() as reading:
        with pytest.raises(Unavailable, match="R3EDGE_ARCHIVE"):
            await reading.market_data.candles(BTC, Timeframe.H1, TimeKeysetPage(10))


async def test_rows_that_a_dump_lacks_are_read_from_their_files_for_good(
    stored: PostgresDatabase, pool: Pool, storage: Counting
) -> None:
    expected = await answers(reader(pool, storage))
    await archiver(pool, storage, grace=HOUR).run(FEBRUARY)
    await pool.execute("TRUNCATE candles_2024_01")  # not seen by a dump's older snapshot: it has the manifest of then
    corrected = candle_at(JANUARY + 5 * HOUR, high=Decimal(99_000))
    async with stored.transaction() as transaction:
        await transaction.market_data.upsert_candles([corrected])
    for _ in range(3):
        await archiver(pool, storage).run(FEBRUARY)
        async with reader(pool, storage).database.read_only() as reading:
            pages = await all_pages(reading, BTC, Timeframe.H1, 333)
        before = expected["pages sandbox:BTC/USDT H1"]
        assert pages == [corrected if candle.open_time == corrected.open_time else candle for candle in before]
    assert await _states(pool) == ["DROPPED", "DROPPED"]
    assert await pool.fetchval("SELECT count(*) FROM candles_2024_01") == 0


async def test_damaged_files_of_rows_that_a_dump_lacks_are_not_given_up(
    stored: PostgresDatabase, pool: Pool, storage: Counting, tmp_path: Path
) -> None:
    expected = await answers(reader(pool, storage))
    await archiver(pool, storage, grace=HOUR).run(FEBRUARY)
    await pool.execute("TRUNCATE candles_2024_01")
    folder, away = tmp_path / "archive", tmp_path / "away"
    await asyncio.to_thread(folder.rename, away)
    for _ in range(2):
        assert [failure.month for failure in (await archiver(pool, storage).run(FEBRUARY)).failed] == [JANUARY]
        assert await _states(pool) == ["VERIFIED"]
    await asyncio.to_thread(away.rename, folder)
    assert await answers(reader(pool, storage)) == expected


async def test_nothing_is_archived_to_a_folder_that_lacks_earlier_months(
    stored: PostgresDatabase, pool: Pool, storage: Counting, tmp_path: Path
) -> None:
    expected = await answers(reader(pool, storage))
    await archiver(pool, storage).run(FEBRUARY)
    unmounted = FolderStorage(tmp_path / "other")
    with pytest.raises(Unavailable, match="has no file"):
        await archiver(pool, unmounted).run(APRIL)
    assert not await asyncio.to_thread((tmp_path / "other").exists)
    assert await _states(pool) == ["DROPPED"]
    assert len((await archiver(pool, storage).run(APRIL)).dropped) == 2
    assert await answers(reader(pool, storage)) == expected


@needs_database_timeouts
async def test_rows_that_somebody_reads_stay_until_the_next_run(
    stored: PostgresDatabase, pool: Pool, storage: Counting
) -> None:
    expected = await answers(reader(pool, storage))
    async with pool.acquire() as other, other.transaction():
        assert await other.fetchval("SELECT count(*) FROM candles_2024_01") > 0
        result = await archiver(pool, storage).run(MARCH)
        assert [batch.month for batch in result.dropped] == [FEBRUARY]
        assert [failure.month for failure in result.failed] == [JANUARY]
        assert await answers(reader(pool, storage)) == expected
    assert [batch.month for batch in (await archiver(pool, storage).run(MARCH)).dropped] == [JANUARY]
    assert await answers(reader(pool, storage)) == expected


async def test_a_snapshot_from_before_rows_were_dropped_lacks_nothing(
    stored: PostgresDatabase, pool: Pool, storage: Counting
) -> None:
    expected = await answers(reader(pool, storage))
    await archiver(pool, storage, grace=HOUR).run(APRIL)
    async with reader(pool, storage).database.snapshot() as reading:
        await reading.market_data.markets()  # the snapshot is as of now
        assert len((await archiver(pool, storage).run(APRIL)).dropped) == 3
        assert await all_pages(reading, BTC, Timeframe.H1, 333) == expected["pages sandbox:BTC/USDT H1"]


async def test_last_prices_do_not_wait_for_an_archive_that_is_too_old(
    stored: PostgresDatabase, pool: Pool, storage: Counting
) -> None:
    await archiver(pool, storage).run(MARCH)
    storage.read_names.clear()
    async with reader(pool, storage).database.read_only() as reading:
        moment = APRIL + timedelta(days=20)
        assert await reading.prices.last_closes([(BTC, moment)], timedelta(days=1)) == []
        assert not storage.read_names
        assert len(await reading.prices.last_closes([(BTC, FEBRUARY)], timedelta(days=1))) == 1
        assert storage.read_names


async def test_the_extremes_of_many_positions_in_an_archived_month_take_seconds(
    database: PostgresDatabase, pool: Pool, storage: Counting
) -> None:
    async with database.transaction() as transaction:
        await transaction.market_data.ensure_candle_partitions(JANUARY, JANUARY)
    await pool.execute(MINUTES, JANUARY)
    await archiver(pool, storage).run(FEBRUARY)
    spans = [Span(BTC, JANUARY + n * 20 * MINUTE, JANUARY + (n * 20 + 30) * MINUTE) for n in range(2_000)]
    async with asyncio.timeout(4), reader(pool, storage).database.read_only() as reading:
        found = await reading.prices.extremes(spans)
    assert found == {n: Extremes(Decimal(101 + 20 * n + 29), Decimal(99)) for n in range(2_000)}


async def test_a_file_that_many_ask_for_is_read_once(stored: PostgresDatabase, pool: Pool, storage: Counting) -> None:
    await archiver(pool, storage).run(FEBRUARY)
    storage.read_names.clear()
    database = reader(pool, storage).database

    async def first() -> list[object]:
        async with database.read_only() as reading:
            return [*await reading.market_data.candles(BTC, Timeframe.H1, TimeKeysetPage(10))]

    pages = await asyncio.gather(*(first() for _ in range(8)))
    assert all(page == pages[0] for page in pages)
    assert len(pages[0]) == 10
    assert len(storage.read_names) == 1


async def test_the_list_of_files_is_read_again_only_if_it_has_changed(
    stored: PostgresDatabase, pool: Pool, storage: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, listed = Manifest.readable_files, list[int]()

    async def counted(self: Manifest, *states: object) -> object:
        files = await read(self, *states)  # type: ignore[arg-type]
        listed.append(len(files))
        return files

    monkeypatch.setattr(Manifest, "readable_files", counted)
    known = reader(pool, storage)
    for end, files in ((FEBRUARY, 2), (MARCH, 4)):
        await archiver(pool, storage).run(end)
        for _ in range(3):
            async with known.database.read_only() as reading:
                await reading.market_data.candles(BTC, Timeframe.H1, TimeKeysetPage(10))
        assert listed[-1] == files
    assert listed == [2, 4]
