"""Files of the archive that nothing names: found and removed, and never one that is needed or may be."""

import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.core.errors import Unavailable
from domain.ports.archive import ArchiveStorage, StoredFile
from infra.archive_storage.folder import FolderStorage
from infra.postgres.archive.archiver import Step
from infra.postgres.archive.orphans import AnotherArchive, find_orphans, sweep_orphans
from infra.postgres.archive.restoring import verify_files
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from tests.support.archive import APRIL, answers, archiver, reader, store_history
from tests.support.s3_server import BUCKET, S3Server, running_s3, storage_at

OF_ANOTHER_RUN = "candles/2024-01/20200101T000000000000/sandbox/BTC_USDT.parquet"
LATER = datetime.now(UTC) + timedelta(days=1)
"""All files were written before it."""


@pytest.fixture(scope="module")
def s3_server() -> Iterator[S3Server]:
    with running_s3() as server:
        yield server


@pytest.fixture(params=["folder", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> ArchiveStorage:
    if request.param == "folder":
        return FolderStorage(tmp_path / "archive")
    server: S3Server = request.getfixturevalue("s3_server")
    return storage_at(server.port, f"s3://{BUCKET}/{uuid.uuid4()}")


class _Stopped(Exception):
    """The process has died."""


def _agree(_orphans: Sequence[StoredFile]) -> None:
    """Let them be deleted."""


def _die(_orphans: Sequence[StoredFile]) -> None:
    raise _Stopped


async def _names(pool: Pool, storage: ArchiveStorage) -> list[str]:
    return [file.name for file in await find_orphans(pool, storage)]


async def test_what_nothing_names_is_removed_and_all_else_stays(
    database: PostgresDatabase, pool: Pool, storage: ArchiveStorage
) -> None:
    await store_history(database)
    await archiver(pool, storage).run(APRIL)
    expected = await answers(reader(pool, storage))
    in_a_known_folder = str(await pool.fetchval("SELECT max(folder) FROM archive_batches")) + "/late/write.parquet"
    for name in (OF_ANOTHER_RUN, in_a_known_folder, "notes/2024-01/of the operator.txt"):
        await storage.write(name, b"orphan")
    assert await _names(pool, storage) == sorted([OF_ANOTHER_RUN, in_a_known_folder])

    assert await sweep_orphans(pool, storage, datetime.now(UTC) - timedelta(days=1), _die) == []
    with pytest.raises(_Stopped):
        await sweep_orphans(pool, storage, LATER, _die)
    assert len(await _names(pool, storage)) == 2
    assert len(await sweep_orphans(pool, storage, LATER, _agree)) == 2

    assert await _names(pool, storage) == []
    assert await storage.read("notes/2024-01/of the operator.txt") == b"orphan"
    assert [check.error async for check in verify_files(pool, storage)] == [None] * 6
    assert await answers(reader(pool, storage)) == expected


async def test_what_is_being_written_or_replaced_is_left_to_the_next_run(
    database: PostgresDatabase, pool: Pool, storage: ArchiveStorage
) -> None:
    await store_history(database)

    def die_at_the_first_file(step: Step) -> None:
        if step is Step.FILE_WRITTEN:
            raise _Stopped

    with pytest.raises(_Stopped):
        await archiver(pool, storage, on_step=die_at_the_first_file).run(APRIL)
    await storage.write(OF_ANOTHER_RUN, b"to be deleted")
    await pool.execute("INSERT INTO archive_deletions (folder) VALUES ($1)", OF_ANOTHER_RUN.rpartition("/")[0])
    written = await storage.list_files("candles")
    assert len(written) == 2
    assert await sweep_orphans(pool, storage, LATER, _die) == []
    assert await storage.list_files("candles") == written


async def test_a_sweep_that_was_interrupted_is_done_by_the_next(
    database: PostgresDatabase, pool: Pool, tmp_path: Path
) -> None:
    class Leaving(FolderStorage):
        deleted = 0

        async def delete(self, name: str) -> None:
            self.deleted += 1
            if self.deleted == 2:
                raise Unavailable("The archive is away.")
            await super().delete(name)

    await store_history(database)
    storage = Leaving(tmp_path)
    await archiver(pool, storage).run(APRIL)
    for number in range(3):
        await storage.write(f"{OF_ANOTHER_RUN}/{number}", b"orphan")
    with pytest.raises(Unavailable):
        await sweep_orphans(pool, storage, LATER, _agree)
    assert len(await _names(pool, storage)) == 2
    await sweep_orphans(pool, storage, LATER, _agree)
    assert await _names(pool, storage) == []


async def test_an_archive_without_any_file_of_this_database_is_left_alone(
    database: PostgresDatabase, pool: Pool, tmp_path: Path
) -> None:
    await store_history(database)
    theirs = FolderStorage(tmp_path / "theirs")
    await theirs.write(OF_ANOTHER_RUN, b"of another database")
    for _ in range(2):
        with pytest.raises(AnotherArchive):
            await sweep_orphans(pool, theirs, LATER, _agree)
        await archiver(pool, FolderStorage(tmp_path / "own")).run(APRIL)
    assert await theirs.read(OF_ANOTHER_RUN) == b"of another database"
