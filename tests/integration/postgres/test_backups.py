"""The embedded PostgreSQL is backed up while it runs, and restored to moments between and after its backups."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from infra.backup.base_backups import create_backup, keep_newest, verify_backups
from infra.backup.folder import Backup, BackupFolder, BackupsUnusable
from infra.backup.recovery import finish, put_back, recover, refuse_unfinished, timeline_of
from infra.backup.wal import archive_settings, prepare_wal_folder, segment_name
from infra.postgres.server.embedded import EmbeddedPostgres
from infra.postgres.server.server_user import server_user
from infra.runtime.backends import database
from infra.runtime.data_dir import DataDir
from infra.settings import Settings
from tests.support.postgres import copy_migrated_cluster
from tests.support.waiting import eventually


class Installation:
    """A data directory with a database of numbers, and a folder of backups."""

    def __init__(self, folder: Path) -> None:
        self.data_dir = folder / "data"
        self.folder = BackupFolder(folder / "back ups 100%")
        copy_migrated_cluster(self.data_dir / "postgres")
        prepare_wal_folder(self.folder.wal, server_user(self.data_dir / "postgres" / "data"))
        self.server = EmbeddedPostgres(self.data_dir / "postgres", archive_settings(self.folder.wal))

    async def run(self, statement: str) -> None:
        connection = await asyncpg.connect(self.server.dsn)
        await connection.execute(statement)
        await connection.close()

    async def numbers(self) -> list[int]:
        connection = await asyncpg.connect(self.server.dsn)
        rows = await connection.fetch("SELECT number FROM numbers ORDER BY number")
        await connection.close()
        return [row["number"] for row in rows]

    async def add(self, number: int) -> datetime:
        """Store a number; return a moment between this and what comes later."""
        await self.run(f"INSERT INTO numbers VALUES ({number})")
        moment = datetime.now(UTC)
        await asyncio.sleep(0.01)  # PostgreSQL's own times are no finer than those of this machine
        return moment

    async def back_up(self) -> Backup:
        return await create_backup(self.folder, self.server.dsn, self.data_dir)

    async def restore(self, moment: datetime | None) -> datetime:
        """Stop, restore, and leave the restored server running as the engine runs it."""
        await self.server.stop()
        start = self.folder.to_restore(moment)
        lost, _ = await put_back(self.folder, start[0], self.data_dir)
        recovered, restored_to = await recover(self.folder, start, self.data_dir, moment, lost)
        self.folder.note_restore(restored_to, datetime.now(UTC), await timeline_of(recovered.dsn))
        finish(self.data_dir)
        await recovered.stop()
        await self.server.start()
        return restored_to


@pytest.fixture
async def installation(data_folder: Path) -> AsyncIterator[Installation]:
    installation = Installation(data_folder)
    await installation.server.start()
    await installation.run("CREATE TABLE numbers (number integer)")
    yield installation
    await installation.server.stop()


async def test_the_database_is_restored_to_any_moment_after_its_first_backup_and_again(
    installation: Installation,
) -> None:
    await installation.add(1)
    await installation.back_up()
    second = await installation.add(2)
    await installation.add(3)
    await installation.back_up()
    fourth = await installation.add(4)
    await installation.add(5)
    assert await installation.restore(fourth) == fourth
    assert await installation.numbers() == [1, 2, 3, 4]
    assert await installation.restore(second) == second
    assert await installation.numbers() == [1, 2]
    sixth = await installation.add(6)
    await installation.add(7)
    await installation.restore(sixth)  # on the history that the restore before has begun
    assert await installation.numbers() == [1, 2, 6]
    await installation.restore(fourth)  # which that restore has undone
    assert await installation.numbers() == [1, 2, 3, 4]
    await installation.restore(sixth)  # which that one has undone, of a history that has no backup of its own
    assert await installation.numbers() == [1, 2, 6]
    assert await verify_backups(installation.folder) == []


async def test_without_a_moment_nothing_is_lost(installation: Installation) -> None:
    await installation.back_up()
    before = await installation.add(1)
    assert await installation.restore(None) >= before - timedelta(seconds=1)
    assert await installation.numbers() == [1]


async def test_a_moment_that_the_backups_do_not_reach_is_refused(installation: Installation) -> None:
    early = datetime.now(UTC)
    with pytest.raises(BackupsUnusable, match="there is no backup in"):
        installation.folder.to_restore(None)
    await installation.back_up()
    with pytest.raises(BackupsUnusable, match="no earlier moment can be restored"):
        installation.folder.to_restore(early)
    backup, timeline = installation.folder.to_restore(None)
    await installation.server.stop()
    await put_back(installation.folder, backup, installation.data_dir)
    late = datetime.now(UTC) + timedelta(days=1)
    with pytest.raises(BackupsUnusable, match="the log ends before"):
        await recover(installation.folder, (backup, timeline), installation.data_dir, late, None)


async def test_an_interrupted_restore_keeps_the_engine_from_starting_and_loses_nothing_when_repeated(
    installation: Installation,
) -> None:
    await installation.back_up()
    await installation.server.stop()
    backup, _ = installation.folder.to_restore(None)
    lost, _ = await put_back(installation.folder, backup, installation.data_dir)
    held = DataDir.hold(installation.data_dir)
    try:
        with pytest.raises(BackupsUnusable, match="was interrupted: repeat r3edge backup restore"):
            async with database(Settings(data_dir=installation.data_dir), held):
                pass
        # It is the database before the first attempt that has the youngest log.
        assert (await put_back(installation.folder, backup, installation.data_dir))[0] == lost
        finish(installation.data_dir)
        refuse_unfinished(installation.data_dir)
    finally:
        held.release()


async def test_old_backups_and_their_log_are_deleted_and_the_kept_ones_are_whole(installation: Installation) -> None:
    await installation.back_up()
    await installation.add(1)
    newest = await installation.back_up()
    await _is_copied(installation, newest)
    assert keep_newest(installation.folder, 1) == 1
    assert installation.folder.backups() == [newest]
    assert min(path.name for path in installation.folder.wal.glob("0*")).startswith(newest.first_segment)
    moment = await installation.add(2)
    await installation.restore(moment)
    assert await installation.numbers() == [1, 2]


async def test_what_is_damaged_or_missing_is_named(installation: Installation) -> None:
    backup = await installation.back_up()
    for number in range(3):
        await installation.add(number)
        await installation.run("SELECT pg_switch_wal()")
    await _is_copied(installation, backup)
    await eventually(lambda: len(_segments(installation)) > 3, "segments are copied")
    first, second, third = _segments(installation)[-3:]
    third.write_bytes(third.read_bytes()[:-9])
    assert any(third.name in error for error in await verify_backups(installation.folder))
    second.unlink()
    assert f"segments are missing between {first.stem} and {third.stem}" in await verify_backups(installation.folder)
    base = next(installation.folder.of(backup.name).rglob("base.tar.gz"))
    base.write_bytes(base.read_bytes()[:-100])
    assert f"{backup.name}: it can't be read" in str(await verify_backups(installation.folder))
    manifest = base.with_name("backup_manifest")
    manifest.write_bytes(manifest.read_bytes().replace(b'"Size": 8192', b'"Size": 8193', 1))
    assert f"{backup.name}: backup_manifest is damaged" in await verify_backups(installation.folder)


async def test_a_backup_of_a_server_that_does_not_copy_its_log_is_refused(installation: Installation) -> None:
    other = BackupFolder(installation.data_dir / "elsewhere")
    with pytest.raises(BackupsUnusable, match="start the engine again"):
        await create_backup(other, installation.server.dsn, installation.data_dir)


def _segments(installation: Installation) -> list[Path]:
    return [path for path in sorted(installation.folder.wal.glob("0*.gz")) if "." not in path.stem]


async def _is_copied(installation: Installation, backup: Backup) -> None:
    segment = installation.folder.wal / f"{backup.first_segment}.gz"
    await eventually(segment.exists, "the backup's first segment is copied")


def test_a_segments_name_says_its_timeline_and_its_place() -> None:
    assert segment_name(1, "0/2000028") == "000000010000000000000002"
    assert segment_name(18, "1A/FF000000") == "000000120000001A000000FF"
