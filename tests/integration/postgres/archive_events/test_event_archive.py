"""Users' events in files: nothing is lost or doubled whatever is dropped when, and everybody reads on."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.core.errors import FaultCode, RequestFault, Unavailable
from domain.events.stream import EventLogReader
from domain.model.archive import BatchState
from domain.model.events import EventCursor, encode_event_cursor
from infra.archive_storage.folder import FolderStorage
from infra.clock import SystemClock
from infra.embedded.bus import EmbeddedBus
from infra.postgres.archive.archiver import Step
from infra.postgres.archive.manifest import Manifest
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
    exported,
    reader,
    store_logs,
    whole_log,
)
from tests.support.events import alert
from tests.support.interrupting import Interrupted, interrupt_at
from tests.support.users import stored_user

HOUR = timedelta(hours=1)


@pytest.fixture
def storage(tmp_path: Path) -> FolderStorage:
    return FolderStorage(tmp_path / "archive")


@pytest.fixture
async def logs(database: PostgresDatabase, pool: Pool) -> Logs:
    return await store_logs(database, pool)


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


async def states(pool: Pool) -> list[tuple[int, BatchState]]:
    async with pool.acquire() as driver:
        return [(batch.month.month, batch.state) for batch in await Manifest(Connection(driver)).batches()]


async def months_with_rows(pool: Pool) -> list[int]:
    rows = await pool.fetch(
        "SELECT DISTINCT date_part('month', at AT TIME ZONE 'UTC')::int AS month FROM user_events WHERE at < $1 "
        "ORDER BY month",
        APRIL,
    )
    return [row["month"] for row in rows]


@pytest.mark.parametrize("grace", [HOUR, timedelta(0)])
async def test_all_that_reads_events_answers_over_the_boundary_as_before(
    grace: timedelta, logs: Logs, pool: Pool, storage: FolderStorage
) -> None:
    database = reader(pool, storage)
    before = await answers(database, logs)
    assert [len(before[f"log {number}"]) for number in range(3)] == [27, 30, 33]

    result = await archiver(pool, storage, grace=grace).run(MARCH)

    assert (len(result.written), len(result.dropped), result.failed) == (2, 0 if grace else 2, ())
    assert await months_with_rows(pool) == ([1, 2, 3] if grace else [3])
    assert await answers(database, logs) == before
    assert all([check.error is None async for check in verify_files(pool, storage)])


@pytest.mark.parametrize(
    ("step", "times"),
    [
        *((step, 1) for step in Step if step is not Step.CLEANED),
        (Step.FILE_WRITTEN, 3),
        (Step.LISTED, 2),
        (Step.ROWS_DROPPED, 2),
    ],
)
async def test_a_run_may_end_after_any_step_and_the_next_one_finishes_it(
    step: Step, times: int, logs: Logs, pool: Pool, storage: FolderStorage
) -> None:
    database = reader(pool, storage)
    before = await answers(database, logs)
    with pytest.raises(Interrupted):
        await archiver(pool, storage, on_step=interrupt_at(step, times)).run(APRIL)
    assert await answers(database, logs) == before

    await archiver(pool, storage).run(APRIL)

    assert await answers(database, logs) == before
    assert await months_with_rows(pool) == []
    assert await states(pool) == [(month, BatchState.DROPPED) for month in (1, 2, 3)]
    assert all([check.error is None async for check in verify_files(pool, storage)])


async def test_unfinished_files_are_deleted_and_that_may_be_interrupted_too(
    logs: Logs, pool: Pool, storage: FolderStorage, tmp_path: Path
) -> None:
    with pytest.raises(Interrupted):
        await archiver(pool, storage, on_step=interrupt_at(Step.FILE_WRITTEN, 2)).run(APRIL)
    for _ in range(2):
        with pytest.raises(Interrupted):
            await archiver(pool, storage, on_step=interrupt_at(Step.CLEANED)).run(APRIL)
    await archiver(pool, storage).run(JANUARY)
    assert files_in(tmp_path) == []
    assert await states(pool) == []


@pytest.mark.parametrize("archived", [JANUARY, FEBRUARY, MARCH, APRIL])
async def test_a_stream_replays_the_archive_from_any_cursor_and_goes_on_live(
    archived: object, logs: Logs, pool: Pool, storage: FolderStorage
) -> None:
    database = reader(pool, storage)
    await archiver(pool, storage).run(archived)
    streams = EventLogReader(database, EmbeddedBus(), SystemClock(), 0.05)
    user_id = logs.users[1]
    events = logs.before[user_id]
    for place in (0, 1, 10, 11, 20, len(events) - 1, len(events)):
        cursor = EventCursor(user_id, place, events[place - 1].at if place else JANUARY)
        for orders_only in (False, True):
            start = await streams.start(user_id, encode_event_cursor(cursor))
            stream = streams.follow(start, orders_only=orders_only)
            expected = [event for event in events[place:] if event.subject is not None or not orders_only]
            assert [await anext(stream) for _ in expected] == expected
            await stream.aclose()

    start = await streams.start(user_id, encode_event_cursor(EventCursor(user_id, 0, JANUARY)))
    stream = streams.follow(start, orders_only=False)
    found = [await anext(stream) for _ in events[:12]]
    await append(database, [alert(user_id, "meanwhile")])
    found += [await anext(stream) for _ in range(len(events) - 12 + 1)]
    await stream.aclose()
    assert [event.sequence for event in found] == list(range(1, len(events) + 2))
    assert found[-1].message == "meanwhile"


async def test_a_cursor_is_too_old_only_if_the_events_are_in_no_place(
    logs: Logs, pool: Pool, storage: FolderStorage
) -> None:
    database = reader(pool, storage)
    await archiver(pool, storage).run(FEBRUARY)
    user_id = logs.users[0]
    february = [event for event in logs.before[user_id] if event.at.month == 2]
    await pool.execute("DROP TABLE user_events_2024_02")
    streams = EventLogReader(database, EmbeddedBus(), SystemClock(), 0.05)

    async def start_at(sequence: int) -> EventCursor:
        return await streams.start(user_id, encode_event_cursor(EventCursor(user_id, sequence, JANUARY)))

    assert (await start_at(0)).sequence == 0
    with pytest.raises(RequestFault) as fault:
        await start_at(february[0].sequence - 1)
    assert fault.value.code is FaultCode.CURSOR_TOO_OLD
    assert (await start_at(february[-1].sequence)).sequence == february[-1].sequence


async def test_nobody_sees_events_of_others_who_share_their_files(
    logs: Logs, pool: Pool, storage: FolderStorage
) -> None:
    database = reader(pool, storage)
    await archiver(pool, storage).run(APRIL)
    assert await pool.fetch("SELECT name FROM archived_event_parts GROUP BY name HAVING count(*) > 1")
    stranger = (await stored_user(database)).id
    ids = [order_id for of_user in logs.order_ids.values() for order_id in of_user]
    for user_id in (*logs.users, stranger):
        own = logs.before.get(user_id, [])
        assert await whole_log(database, user_id) == own
        found = await database.event_history().list_for_orders(user_id, ids, JANUARY)
        assert found == [event for event in own if event.subject is not None]
        assert all(str(user_id) in row for row in await exported(database, user_id))
    assert await whole_log(database, stranger) == []


async def test_a_restored_month_is_read_from_the_database_and_archived_again_by_hand(
    logs: Logs, pool: Pool, storage: FolderStorage
) -> None:
    database = reader(pool, storage)
    before = await answers(database, logs)
    await archiver(pool, storage).run(MARCH)
    rows = await restore_month(pool, storage, FEBRUARY)
    assert rows == sum(event.at.month == 2 for log in logs.before.values() for event in log)
    assert await restore_month(pool, storage, FEBRUARY) == 0
    assert await answers(database, logs) == before
    await archiver(pool, storage).run(MARCH)
    assert await months_with_rows(pool) == [2, 3]

    await archiver(pool, storage).run(MARCH, FEBRUARY)

    assert await months_with_rows(pool) == [3]
    assert await answers(database, logs) == before


async def test_a_month_of_which_an_event_is_missing_stays_in_the_database(
    logs: Logs, pool: Pool, storage: FolderStorage
) -> None:
    await archiver(pool, storage).run(FEBRUARY)
    user_id = logs.users[1]
    await pool.execute("DELETE FROM user_events WHERE user_id = $1 AND sequence IN (15, 16)", user_id)
    result = await archiver(pool, storage).run(APRIL)
    assert [(failure.month, str(user_id) in failure.error) for failure in result.failed] == [(FEBRUARY, True)]
    assert "events 15 to 16" in result.failed[0].error
    assert await months_with_rows(pool) == [2]


async def test_a_month_is_archived_though_older_ones_were_deleted_by_hand(
    logs: Logs, pool: Pool, storage: FolderStorage
) -> None:
    await pool.execute("DROP TABLE user_events_2024_01")
    assert (await archiver(pool, storage).run(APRIL)).failed == ()
    assert await months_with_rows(pool) == []


@pytest.mark.parametrize("archived", [JANUARY, FEBRUARY, MARCH])
async def test_clocks_that_differ_at_the_turn_of_a_month_make_no_gap(
    archived: object, database: PostgresDatabase, pool: Pool, storage: FolderStorage
) -> None:
    await store_logs(database, pool, users=0)
    user_id = (await stored_user(database)).id
    for number in range(30):
        at = FEBRUARY + timedelta(seconds=number - 15) + (-1 if number % 3 else 1) * timedelta(seconds=9)
        await append(database, [alert(user_id, str(number), at)])
    before = [event.message for event in await whole_log(database, user_id)]
    assert (await archiver(pool, storage).run(archived)).failed == ()
    both = reader(pool, storage)
    assert [event.message for event in await whole_log(both, user_id)] == before
    assert [event.message for event in await whole_log(both, user_id, 1)] == before
    assert (await archiver(pool, storage).run(APRIL)).failed == ()


async def test_events_of_a_late_clock_in_an_archived_month_go_into_a_further_file(
    logs: Logs, pool: Pool, storage: FolderStorage
) -> None:
    database = reader(pool, storage)
    await archiver(pool, storage).run(APRIL)
    user_id = logs.users[0]
    events = logs.before[user_id]
    await append(database, [alert(user_id, "late", events[-1].at - HOUR)])
    expected = await whole_log(database, user_id)
    assert (expected[:-1], expected[-1].message) == (events, "late")
    await archiver(pool, storage).run(APRIL)
    assert await months_with_rows(pool) == []
    assert await whole_log(database, user_id) == expected


async def test_a_storage_that_is_away_fails_what_needs_it_and_nothing_else(
    logs: Logs, pool: Pool, storage: FolderStorage, tmp_path: Path
) -> None:
    await archiver(pool, storage).run(MARCH)
    database, user_id = reader(pool, storage), logs.users[0]
    (tmp_path / "archive").rename(tmp_path / "away")
    events = logs.before[user_id]
    with pytest.raises(Unavailable):
        await database.event_history().read_after(user_id, 0, None, 10)
    with pytest.raises(Unavailable):
        await exported(database, user_id)
    march = next(event for event in events if event.at.month == 3)
    later = await database.event_history().read_after(user_id, march.sequence, march.at, 100)
    assert later == events[march.sequence :]
    (tmp_path / "away").rename(tmp_path / "archive")
    assert await whole_log(database, user_id) == events


async def test_a_node_without_the_setting_refuses_what_another_archives(
    logs: Logs, pool: Pool, storage: FolderStorage
) -> None:
    await archiver(pool, storage).run(MARCH)
    without = reader(pool, None)
    with pytest.raises(Unavailable, match="R3EDGE_ARCHIVE must name the folder"):
        await without.event_history().read_after(logs.users[0], 0, None, 10)


async def test_a_damaged_file_is_found_before_its_rows_are_dropped_and_written_again(
    logs: Logs, pool: Pool, storage: FolderStorage, tmp_path: Path
) -> None:
    await archiver(pool, storage, grace=HOUR).run(FEBRUARY)
    path = files_in(tmp_path)[0]
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert [check.error for check in [check async for check in verify_files(pool, storage)] if check.error] == [
        "its content isn't what was written"
    ]
    result = await archiver(pool, storage).run(FEBRUARY)
    assert (len(result.dropped), len(result.failed)) == (0, 1)
    await archiver(pool, storage).run(FEBRUARY)
    assert await whole_log(reader(pool, storage), logs.users[0]) == logs.before[logs.users[0]]
    assert await months_with_rows(pool) == [2, 3]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    number=st.integers(0, 2),
    after=st.integers(0, 27),
    limit=st.integers(1, 35),
    orders_only=st.booleans(),
    is_dated=st.booleans(),
)
async def test_pages_of_any_size_from_any_place_are_those_of_the_whole_log(
    archived: tuple[PostgresDatabase, Logs],
    number: int,
    after: int,
    limit: int,
    *,
    orders_only: bool,
    is_dated: bool,
) -> None:
    database, logs = archived
    user_id = logs.users[number]
    log = logs.before[user_id]
    at = log[after - 1].at if after and is_dated else None
    found = await database.event_history().read_after(user_id, after, at, limit, orders_only=orders_only)
    assert found == [event for event in log[after:] if event.subject is not None or not orders_only][:limit]


@pytest.fixture(params=["none", "january", "february of three", "all", "restored", "twice"])
async def archived(
    request: pytest.FixtureRequest, logs: Logs, pool: Pool, storage: FolderStorage
) -> tuple[PostgresDatabase, Logs]:
    months = {"none": JANUARY, "january": FEBRUARY, "all": APRIL, "restored": APRIL, "twice": APRIL}
    if request.param == "february of three":
        await archiver(pool, storage).run(APRIL, FEBRUARY)
    else:
        await archiver(pool, storage).run(months[request.param])
    if request.param in {"restored", "twice"}:
        await restore_month(pool, storage, FEBRUARY)
    if request.param == "twice":
        await archiver(pool, storage).run(APRIL, FEBRUARY)
    return reader(pool, storage), logs
