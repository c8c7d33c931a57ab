"""Files of users' events that were given up as lost: what follows them is archived, and nothing is left of them."""

import asyncio
from pathlib import Path

import pytest

from domain.model.events import UserEventKind
from domain.model.users import Activity, ActivityAuthor
from infra.archive_storage.folder import FolderStorage
from infra.postgres.archive.manifest import Manifest
from infra.postgres.archive.restoring import restore_month
from infra.postgres.connection import Connection
from infra.postgres.database import PostgresDatabase
from infra.postgres.lost_archive_files import give_up_file
from infra.postgres.pool import Pool
from tests.support.event_archive import APRIL, FEBRUARY, MARCH, archiver, reader, store_logs, whole_log


@pytest.mark.parametrize("damage", ["absent", "damaged"])
async def test_the_month_after_a_lost_file_is_archived_once_that_is_given_up(
    damage: str, database: PostgresDatabase, pool: Pool, tmp_path: Path
) -> None:
    logs, storage = await store_logs(database, pool), FolderStorage(tmp_path / "archive")
    await archiver(pool, storage, rows_a_file=100).run(MARCH, FEBRUARY)
    name = await pool.fetchval("SELECT name FROM archive_files")
    path = tmp_path / "archive" / name
    await asyncio.to_thread(path.unlink if damage == "absent" else lambda: path.write_bytes(b"damaged"))
    lost_rows = (await give_up_file(pool, storage, name, lambda _lost: None)).rows

    result = await archiver(pool, storage).run(APRIL)

    assert result.failed == ()
    assert not await asyncio.to_thread(path.exists)
    assert not await pool.fetchval("SELECT EXISTS (SELECT FROM user_events WHERE at < '2024-04-01Z')")
    async with pool.acquire() as driver:
        rows = {batch.month: batch.rows for batch in await Manifest(Connection(driver)).batches()}
    assert rows[FEBRUARY] == 0
    both = reader(pool, storage)
    for user_id in logs.users:
        *others, notice = await whole_log(both, user_id)
        assert others == [e for e in logs.before[user_id] if e.at.month != 2]
        assert (notice.kind, notice.message) == (UserEventKind.ACTIVITY, "archiveGiveUp")
        assert isinstance(notice.subject, Activity)
        assert notice.subject.author is ActivityAuthor.COMMAND_LINE
        lost = [e.sequence for e in logs.before[user_id] if e.at.month == 2]
        assert (notice.subject.detail or "").startswith(f"Events {lost[0]} to {lost[-1]}, of 2024-02-01 to 2024-02-")
        assert str(tmp_path) not in (notice.subject.detail or "")
    async with both.read_only() as reading:
        (shown,) = await reading.overview.lost_files(10)
    assert (shown.name, shown.table, shown.rows) == (name, "user_events", lost_rows)
    await pool.execute("DELETE FROM lost_event_parts WHERE user_id = $1", logs.users[1])
    await restore_month(pool, storage, MARCH)
    again = await archiver(pool, storage).run(APRIL, MARCH)
    assert [str(logs.users[1]) in failure.error for failure in again.failed] == [True]
