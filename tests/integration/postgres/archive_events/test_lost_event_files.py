"""Files of users' events that were given up as lost: what follows them is archived, and nothing is left of them."""

import asyncio
from pathlib import Path

import pytest

from infra.archive_storage.folder import FolderStorage
from infra.postgres.archive.giving_up import give_up_file
from infra.postgres.archive.manifest import Manifest
from infra.postgres.archive.restoring import restore_month
from infra.postgres.connection import Connection
from infra.postgres.database import PostgresDatabase
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
    await give_up_file(pool, storage, name, lambda _lost: None)

    result = await archiver(pool, storage).run(APRIL)

    assert result.failed == ()
    assert not await asyncio.to_thread(path.exists)
    assert not await pool.fetchval("SELECT EXISTS (SELECT FROM user_events)")
    async with pool.acquire() as driver:
        rows = {batch.month: batch.rows for batch in await Manifest(Connection(driver)).batches()}
    assert rows[FEBRUARY] == 0
    both = reader(pool, storage)
    for user_id in logs.users:
        assert await whole_log(both, user_id) == [e for e in logs.before[user_id] if e.at.month != 2]
    await pool.execute("DELETE FROM lost_event_parts WHERE user_id = $1", logs.users[1])
    await restore_month(pool, storage, MARCH)
    again = await archiver(pool, storage).run(APRIL, MARCH)
    assert [str(logs.users[1]) in failure.error for failure in again.failed] == [True]
