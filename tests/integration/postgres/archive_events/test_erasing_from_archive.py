"""Erased users are erased from the archive as well, whatever happens at that moment."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import polars as pl
import pytest

from domain.core.errors import Unavailable
from infra.archive_storage.folder import FolderStorage
from infra.postgres.archive.archiver import Step
from infra.postgres.archive.events.erasure import ErasureStep, pending_erasures
from infra.postgres.archive.restoring import restore_month, verify_files
from infra.postgres.connection import Connection
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from tests.support.event_archive import (
    APRIL,
    FEBRUARY,
    JANUARY,
    MARCH,
    Logs,
    answers,
    append,
    archiver,
    erase,
    reader,
    store_logs,
    stored_log,
    whole_log,
)
from tests.support.events import alert
from tests.support.interrupting import Interrupted, interrupt_at
from tests.support.users import stored_user

HOUR = timedelta(hours=1)


class Interfering(FolderStorage):
    """Lets something happen when the first file was written."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.then: Callable[[], object] | None = None

    async def write(self, name: str, content: bytes) -> None:
        await super().write(name, content)
        if self.then is not None:
            then, self.then = self.then, None
            await then()  # type: ignore[misc]


@pytest.fixture
def storage(tmp_path: Path) -> Interfering:
    return Interfering(tmp_path / "archive")


@pytest.fixture
async def logs(database: PostgresDatabase, pool: Pool) -> Logs:
    return await store_logs(database, pool)


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*.parquet")}


def personal_rows(folder: Path, user_id: UUID) -> int:
    """Return how many events of a user there are in all files that aren't of an order."""
    frames = [pl.read_parquet(path) for path in folder.rglob("*.parquet")]
    return sum(frame.filter(user_id=str(user_id)).filter(pl.col("order_id").is_null()).height for frame in frames)


async def pending(pool: Pool) -> int:
    async with pool.acquire() as driver:
        return await pending_erasures(Connection(driver))


async def assert_erased(pool: Pool, storage: FolderStorage, folder: Path, logs: Logs, user_id: UUID) -> None:
    """Check that there is nothing of a user but what is about orders, and all of the others."""
    database = reader(pool, storage)
    assert personal_rows(folder, user_id) == 0
    assert await pending(pool) == 0
    assert await pool.fetchval("SELECT count(*) FROM archive_deletions") == 0
    listed = {row["name"] for row in await pool.fetch("SELECT name FROM archive_files")}
    assert files_in(folder / "archive") == listed
    for other in logs.users:
        expected = [event for event in logs.before[other] if other != user_id or event.subject is not None]
        assert await whole_log(database, other, orders_only=other == user_id) == expected
        assert await whole_log(database, other) == expected
    assert all([check.error is None async for check in verify_files(pool, storage)])
    sums = await pool.fetchrow(
        "SELECT sum(rows) AS rows, (SELECT sum(rows) FROM archived_event_parts) AS parts, "
        "(SELECT sum(rows) FROM archive_batches) AS batches FROM archive_files"
    )
    assert sums["rows"] == sums["parts"] == sums["batches"]


@pytest.mark.parametrize("grace", [timedelta(0), HOUR])
async def test_an_erased_user_is_removed_from_all_files_and_the_others_stay(
    grace: timedelta, logs: Logs, database: PostgresDatabase, pool: Pool, storage: Interfering, tmp_path: Path
) -> None:
    user_id = logs.users[1]
    await archiver(pool, storage, grace=grace).run(MARCH)
    untouched = await pool.fetch(
        "SELECT name FROM archive_files EXCEPT SELECT name FROM archived_event_parts WHERE user_id = $1", user_id
    )
    await erase(database, user_id)
    assert (await pending(pool), personal_rows(tmp_path, user_id) > 0) == (1, True)

    assert (await archiver(pool, storage, grace=grace).run(MARCH)).failed == ()

    await assert_erased(pool, storage, tmp_path, logs, user_id)
    left = {row["name"] for row in await pool.fetch("SELECT name FROM archive_files")}
    assert untouched
    assert {row["name"] for row in untouched} <= left
    result = await archiver(pool, storage).run(APRIL)
    assert (len(result.dropped), result.failed) == (1 if not grace else 3, ())
    assert await stored_log(database, user_id) == []
    await assert_erased(pool, storage, tmp_path, logs, user_id)


@pytest.mark.parametrize("step", ErasureStep)
@pytest.mark.parametrize("times", [1, 2])
async def test_erasing_may_be_interrupted_after_any_step_and_is_finished_by_the_next_run(
    step: ErasureStep,
    times: int,
    logs: Logs,
    database: PostgresDatabase,
    pool: Pool,
    storage: Interfering,
    tmp_path: Path,
) -> None:
    user_id = logs.users[1]
    await archiver(pool, storage).run(APRIL)
    await erase(database, user_id)
    with pytest.raises(Interrupted):
        await archiver(pool, storage, on_step=interrupt_at(step, times)).run(APRIL)
    for other in (logs.users[0], logs.users[2]):
        assert await whole_log(reader(pool, storage), other) == logs.before[other]

    await archiver(pool, storage).run(APRIL)

    await assert_erased(pool, storage, tmp_path, logs, user_id)


async def test_a_user_without_orders_leaves_no_file_behind(
    logs: Logs, database: PostgresDatabase, pool: Pool, storage: Interfering, tmp_path: Path
) -> None:
    user_id = (await stored_user(database)).id
    await append(database, [alert(user_id, str(number), JANUARY + number * HOUR) for number in range(30)])
    await archiver(pool, storage).run(APRIL)
    await erase(database, user_id)
    for step, times in ((ErasureStep.REPLACED, 1), (ErasureStep.FILE_DELETED, 1)):
        with pytest.raises(Interrupted):
            await archiver(pool, storage, on_step=interrupt_at(step, times)).run(APRIL)
    await archiver(pool, storage).run(APRIL)
    await assert_erased(pool, storage, tmp_path, logs, user_id)
    assert await pool.fetchval("SELECT count(*) FROM archived_event_parts WHERE user_id = $1", user_id) == 0


async def test_a_storage_that_is_away_delays_an_erasure_which_is_logged_and_never_forgotten(
    logs: Logs,
    database: PostgresDatabase,
    pool: Pool,
    storage: Interfering,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    user_id = logs.users[0]
    await archiver(pool, storage).run(MARCH)
    (tmp_path / "archive").rename(tmp_path / "away")
    await erase(database, user_id)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await archiver(pool, storage).run(MARCH)
    assert "events of 1 erased users stay in the archive for now" in caplog.text
    assert await pending(pool) == 1
    (tmp_path / "away").rename(tmp_path / "archive")
    await archiver(pool, storage).run(MARCH)
    await assert_erased(pool, storage, tmp_path, logs, user_id)


async def test_a_file_that_is_absent_delays_the_erasure_from_it_alone(
    logs: Logs, database: PostgresDatabase, pool: Pool, storage: Interfering, tmp_path: Path
) -> None:
    user_id = logs.users[0]
    await archiver(pool, storage).run(MARCH)
    name = await pool.fetchval("SELECT min(name) FROM archived_event_parts WHERE user_id = $1", user_id)
    lost = tmp_path / "archive" / name
    lost.rename(tmp_path / "lost")
    await erase(database, user_id)
    result = await archiver(pool, storage).run(MARCH)
    assert [(failure.month, name in failure.error) for failure in result.failed] == [(JANUARY, True)]
    assert (await pending(pool), personal_rows(tmp_path, user_id)) == (1, 0)
    lost.parent.mkdir(exist_ok=True)
    (tmp_path / "lost").rename(lost)
    await archiver(pool, storage).run(MARCH)
    await assert_erased(pool, storage, tmp_path, logs, user_id)


@pytest.mark.parametrize("when", ["while written", "while restored month is archived", "after an interrupted drop"])
async def test_who_is_erased_while_a_month_is_archived_is_erased_from_it(
    when: str, logs: Logs, database: PostgresDatabase, pool: Pool, storage: Interfering, tmp_path: Path
) -> None:
    user_id = logs.users[2]
    if when == "while restored month is archived":
        await archiver(pool, storage).run(FEBRUARY)
        await restore_month(pool, storage, JANUARY)
    if when == "after an interrupted drop":
        with pytest.raises(Interrupted):
            await archiver(pool, storage, on_step=interrupt_at(Step.ROWS_DROPPED)).run(APRIL)
        await erase(database, user_id)
    else:
        storage.then = lambda: erase(database, user_id)
        await archiver(pool, storage, grace=HOUR).run(APRIL, JANUARY)
        assert personal_rows(tmp_path, user_id) > 0
    for _ in range(2):
        assert (await archiver(pool, storage).run(APRIL)).failed == ()
    await assert_erased(pool, storage, tmp_path, logs, user_id)
    assert await pool.fetchval("SELECT count(*) FROM user_events WHERE at < $1", APRIL) == 0


async def test_a_month_that_is_restored_later_has_nothing_of_who_was_erased(
    logs: Logs, database: PostgresDatabase, pool: Pool, storage: Interfering, tmp_path: Path
) -> None:
    user_id = logs.users[1]
    await archiver(pool, storage).run(APRIL)
    await erase(database, user_id)
    for month in (JANUARY, FEBRUARY, MARCH):  # before and after the files are rewritten
        await restore_month(pool, storage, month)
        await archiver(pool, storage).run(JANUARY)
    assert {event.subject is not None for event in await stored_log(database, user_id)} == {True}
    await assert_erased(pool, storage, tmp_path, logs, user_id)


async def test_who_is_erased_while_a_month_is_restored_is_not_restored(
    logs: Logs, database: PostgresDatabase, pool: Pool, storage: Interfering, tmp_path: Path
) -> None:
    user_id = logs.users[1]
    await archiver(pool, storage).run(APRIL)
    await asyncio.gather(erase(database, user_id), restore_month(pool, storage, JANUARY))
    assert {event.subject is not None for event in await stored_log(database, user_id)} <= {True}
    await archiver(pool, storage).run(JANUARY)
    await assert_erased(pool, storage, tmp_path, logs, user_id)


async def test_a_reader_of_a_file_that_is_replaced_meanwhile_reads_the_new_one(
    logs: Logs, database: PostgresDatabase, pool: Pool, storage: Interfering
) -> None:
    await archiver(pool, storage).run(APRIL)
    user_id, other = logs.users[1], logs.users[0]

    class Replaced(FolderStorage):
        reads = 0

        async def read(self, name: str) -> bytes:
            self.reads += 1
            if self.reads == 1:
                await erase(database, user_id)
                await archiver(pool, storage).run(APRIL)
            return await super().read(name)

    replaced = Replaced(storage._folder)  # the same one
    shared = await pool.fetchval(
        "SELECT count(*) FROM archived_event_parts AS a JOIN archived_event_parts AS b USING (name) "
        "WHERE a.user_id = $1 AND b.user_id = $2",
        user_id,
        other,
    )
    assert shared
    assert await whole_log(reader(pool, replaced), other, 100) == logs.before[other]


async def test_the_answers_about_the_others_do_not_change(
    logs: Logs, database: PostgresDatabase, pool: Pool, storage: Interfering
) -> None:
    others = Logs(logs.users[:2], logs.order_ids, logs.before)
    before = await answers(reader(pool, storage), others)
    await archiver(pool, storage).run(MARCH)
    await erase(database, logs.users[2])
    await archiver(pool, storage).run(MARCH)
    assert await answers(reader(pool, storage), others) == before
