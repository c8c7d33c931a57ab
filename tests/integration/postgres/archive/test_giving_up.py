"""A lost file of the archive is given up, and only a lost one: queries then answer without it."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from domain.core.errors import Unavailable
from domain.model.archive import LostFile
from domain.model.markets import Timeframe
from infra.archive_storage.folder import FolderStorage
from infra.postgres.archive.manifest import Manifest
from infra.postgres.connection import Connection
from infra.postgres.database import PostgresDatabase
from infra.postgres.lost_archive_files import NotLost, give_up_file, lost_files
from infra.postgres.pool import Pool
from tests.support.archive import APRIL, FEBRUARY, JANUARY, MARCH, all_pages, answers, archiver, reader, store_history
from tests.support.ports import free_port
from tests.support.s3_server import storage_at
from tests.support.trading import BTC, ETH


class _Refused(Exception):
    """Somebody has answered no."""


@pytest.fixture
def storage(tmp_path: Path) -> FolderStorage:
    return FolderStorage(tmp_path)


@pytest.fixture
async def stored(database: PostgresDatabase) -> PostgresDatabase:
    await store_history(database)
    return database


def _agree(_lost: LostFile) -> None:
    """Let it be given up."""


def _refuse(_lost: LostFile) -> None:
    raise _Refused


async def _name(pool: Pool, start: str = "candles/2024-02/") -> str:
    async with pool.acquire() as driver:
        files = await Manifest(Connection(driver)).readable_files()
    return next(file.name for file in files if file.name.startswith(start) and file.part == str(BTC))


@pytest.mark.parametrize("damage", ["absent", "damaged"])
async def test_queries_answer_again_without_what_was_given_up(
    damage: str, stored: PostgresDatabase, pool: Pool, storage: FolderStorage, tmp_path: Path
) -> None:
    known = reader(pool, storage)
    expected = await answers(known)
    await archiver(pool, storage).run(APRIL)
    name = await _name(pool)
    path = tmp_path / name
    await asyncio.to_thread(path.unlink if damage == "absent" else lambda: path.write_bytes(b"damaged"))
    with pytest.raises(Unavailable, match="BTC_USDT"):
        await answers(known)
    with pytest.raises(_Refused):
        await give_up_file(pool, storage, name, _refuse)
    with pytest.raises(Unavailable, match="BTC_USDT"):
        await answers(known)
    lost = await give_up_file(pool, storage, name, _agree)
    assert (lost.table, lost.part, lost.first) == ("candles", str(BTC), FEBRUARY)
    found = await answers(known)
    left = [c for c in expected["pages sandbox:BTC/USDT H1"] if not FEBRUARY <= c.open_time < MARCH]
    assert found["pages sandbox:BTC/USDT H1"] == left
    assert found[f"pages {ETH} H1"] == expected[f"pages {ETH} H1"]
    async with known.database.read_only() as reading:
        assert await all_pages(reading, BTC, Timeframe.H1, 333) == left
        gaps = await reading.market_data.candle_gaps(BTC, Timeframe.D1, JANUARY, APRIL)
    assert gaps == [(FEBRUARY, MARCH)]
    async with pool.acquire() as driver:
        (noted,) = await lost_files(Connection(driver))
    assert noted.name == name
    assert noted.given_up_at is not None
    assert noted.reason == lost.reason
    assert not (await archiver(pool, storage).run(APRIL)).failed


async def test_a_file_that_is_there_is_not_given_up(
    stored: PostgresDatabase, pool: Pool, storage: FolderStorage
) -> None:
    await archiver(pool, storage).run(APRIL)
    with pytest.raises(NotLost, match="as it was written"):
        await give_up_file(pool, storage, await _name(pool), _agree)
    with pytest.raises(NotLost, match="is no file of the archive"):
        await give_up_file(pool, storage, "candles/never", _agree)


async def test_a_file_whose_rows_are_in_the_database_is_not_given_up(
    stored: PostgresDatabase, pool: Pool, storage: FolderStorage, tmp_path: Path
) -> None:
    await archiver(pool, storage, grace=timedelta(hours=1)).run(APRIL)
    name = await _name(pool)
    await asyncio.to_thread((tmp_path / name).unlink)
    with pytest.raises(NotLost, match="in the database still"):
        await give_up_file(pool, storage, name, _agree)


async def test_nothing_is_given_up_while_the_archive_is_not_reached(
    stored: PostgresDatabase, pool: Pool, storage: FolderStorage
) -> None:
    await archiver(pool, storage).run(APRIL)
    expected = await answers(reader(pool, storage))
    with pytest.raises(Unavailable, match="nothing listens there"):
        await give_up_file(pool, storage_at(free_port()), await _name(pool), _agree)
    assert await answers(reader(pool, storage)) == expected
