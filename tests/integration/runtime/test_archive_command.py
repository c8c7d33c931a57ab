"""`r3edge archive` at the command line, and what needs the archive to be set."""

import asyncio
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from domain.model.archive import BatchState, boundary
from infra.archive_storage.folder import FolderStorage
from infra.cli.archive import (
    check_files,
    check_lines,
    delete_orphans,
    give_up_lost,
    lost_line,
    orphan_lines,
    read_lost,
    read_orphans,
    read_status,
    restore_archived,
    run_archive,
    run_lines,
)
from infra.cli.arguments import BadArgument
from infra.clock import SystemClock
from infra.postgres.archive.archiver import Failure, RunResult
from infra.postgres.archive.lock import locked_archive
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from infra.runtime.archive import ArchiveNotSet
from infra.runtime.backends import open_backends
from infra.runtime.errors import StartupError
from infra.settings import Settings
from tests.support.archive import APRIL, FEBRUARY, JANUARY, MARCH, archiver, history, store_history
from tests.support.event_archive import erase, store_logs
from tests.support.s3_server import BUCKET, running_s3

SECOND_HALF = timedelta(days=20)


@pytest.fixture
def settings(database_dsn: str, tmp_path: Path) -> Settings:
    return Settings(database_url=SecretStr(database_dsn), archive=str(tmp_path), data_dir=tmp_path / "data")


async def test_months_are_archived_verified_and_restored_by_hand(
    settings: Settings, database: PostgresDatabase
) -> None:
    await store_history(database)
    written = run_lines(await run_archive(settings, None))
    assert [line.split()[:4] for line in written[:3]] == [
        ["written", "candles", f"2024-0{month}", "VERIFIED"] for month in (1, 2, 3)
    ]
    assert written[3:] == ["what was written now is dropped from the database by a run an hour later, or by a worker"]
    assert run_lines(await run_archive(settings, None)) == ["nothing is to be archived now"]
    checked = await check_files(settings)
    rows = 2 * len(history())
    assert check_lines(checked) == [f"6 files with {rows:,} rows: all are as written"]
    assert check_lines([replace(checked[0], error="it is damaged"), checked[1]]) == [
        f"{checked[0].file.name}: it is damaged",
        f"2 files with {checked[0].file.rows + checked[1].file.rows:,} rows: 1 are wrong",
    ]
    assert await restore_archived(settings, JANUARY) == 0  # all are in the database still
    assert [batch.state for batch in (await read_status(settings))[0]] == [
        BatchState.RESTORED, BatchState.VERIFIED, BatchState.VERIFIED,
    ]  # fmt: skip
    assert run_lines(RunResult((), (), (Failure("candles", JANUARY, "why"),))) == ["failed   candles  2024-01: why"]
    with pytest.raises(BadArgument, match="2023-12 isn't archived"):
        await restore_archived(settings, datetime(2023, 12, 1, tzinfo=UTC))
    with pytest.raises(BadArgument, match="2024-01 of trades isn't archived"):
        await restore_archived(settings, JANUARY, "trades")


async def test_files_that_the_database_does_not_name_are_reported_and_swept_once_they_are_old(
    settings: Settings, database: PostgresDatabase, tmp_path: Path
) -> None:
    await store_history(database)
    await run_archive(settings, None)
    assert orphan_lines(await read_orphans(settings)) == []
    young, old = (tmp_path / f"candles/2024-01/20200101T000000000000/{name}.parquet" for name in ("young", "old"))
    young.parent.mkdir(parents=True)
    for path in (young, old):
        path.write_bytes(b"x" * 1_000_000)
    long_ago = (SystemClock().now() - timedelta(days=40)).timestamp()
    os.utime(old, (long_ago, long_ago))
    (line,) = orphan_lines(await read_orphans(settings))
    assert line.startswith("2 files with 2.0 MB that the database doesn't name; r3edge archive sweep deletes those")
    assert [Path(file.name).stem for file in await delete_orphans(settings, 30, ask=False)] == ["old"]
    assert [Path(file.name).stem for file in await read_orphans(settings)] == ["young"]
    assert await delete_orphans(settings, 0, ask=False) == []


async def test_the_status_counts_the_users_who_are_still_to_be_erased_from_the_archive(
    settings: Settings, database: PostgresDatabase, pool: Pool, tmp_path: Path
) -> None:
    logs = await store_logs(database, pool)
    await run_archive(settings, None)
    await erase(database, logs.users[0])
    assert (await read_status(settings))[1] == 1
    name = await pool.fetchval("SELECT min(name) FROM archived_event_parts")
    (tmp_path / name).rename(tmp_path / "away")
    result = await run_archive(settings, None)
    assert any(line.startswith("failed   user_events  2024-01") for line in run_lines(result))
    assert (await read_status(settings))[1] == 1
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / "away").rename(tmp_path / name)
    assert not (await run_archive(settings, None)).failed
    assert (await read_status(settings))[1] == 0


async def test_a_lost_file_is_given_up_by_hand(
    settings: Settings, database: PostgresDatabase, pool: Pool, tmp_path: Path
) -> None:
    await store_history(database)
    await archiver(pool, FolderStorage(tmp_path)).run(APRIL)
    checked = await check_files(settings)
    name = checked[0].file.name
    with pytest.raises(BadArgument, match="as it was written"):
        await give_up_lost(settings, name, ask=False)
    await asyncio.to_thread((tmp_path / name).unlink)
    given_up = lost_line(await give_up_lost(settings, name, ask=False))
    assert given_up.startswith(
        f"{checked[0].file.rows:,} rows (candles) of {checked[0].file.part}, 2024-01-01 00:00 to"
    )
    (lost,) = await read_lost(settings)
    assert [batch.files for batch in (await read_status(settings))[0]] == [1, 2, 2]
    assert lost_line(lost).endswith(given_up)
    assert len(await check_files(settings)) == 5


async def test_what_has_not_ended_is_not_archived(settings: Settings) -> None:
    with pytest.raises(BadArgument, match="hasn't ended yet"):
        await run_archive(settings, boundary(SystemClock().now(), 0))


async def test_one_month_is_archived_by_hand_however_young(settings: Settings, database: PostgresDatabase) -> None:
    await store_history(database)
    result = await run_archive(settings.model_copy(update={"retention_months": 1_200}), FEBRUARY)
    assert [batch.month for batch in result.written] == [FEBRUARY]
    assert [batch.month for batch in (await read_status(settings))[0]] == [FEBRUARY]


async def test_one_table_is_archived_by_hand(settings: Settings, database: PostgresDatabase, pool: Pool) -> None:
    await store_history(database)
    await store_logs(database, pool)
    with pytest.raises(BadArgument, match="'orders' is no table that is archived; those are candles, trades"):
        await run_archive(settings, None, "orders")
    result = await run_archive(settings, JANUARY, "user_events")
    assert {(batch.table, batch.month) for batch in result.written} == {("user_events", JANUARY)}
    result = await run_archive(settings, None, "candles")
    assert [(batch.table, batch.month) for batch in result.written] == [
        ("candles", month) for month in (JANUARY, FEBRUARY, MARCH)
    ]


async def test_a_month_is_not_restored_while_somebody_archives(settings: Settings, pool: Pool) -> None:
    async with locked_archive(pool):
        with pytest.raises(StartupError, match="archiving or restoring"):
            await restore_archived(settings, JANUARY)


async def test_commands_need_an_archive(settings: Settings) -> None:
    with pytest.raises(StartupError, match="R3EDGE_ARCHIVE must name its folder"):
        await restore_archived(settings.model_copy(update={"archive": None}), JANUARY)


async def test_an_engine_does_not_start_without_the_archive_that_has_its_candles(
    settings: Settings, database: PostgresDatabase, pool: Pool, database_dsn: str, tmp_path: Path
) -> None:
    without = settings.model_copy(update={"archive": None})
    await store_history(database)
    async with open_backends(without, database_dsn) as backends:
        assert backends.archiver is None
    for grace in (timedelta(hours=1), timedelta(0)):  # listed, and then dropped
        await archiver(pool, FolderStorage(tmp_path), grace=grace).run(MARCH)
        with pytest.raises(ArchiveNotSet, match="archive of 4 files: set R3EDGE_ARCHIVE"):
            async with open_backends(without, database_dsn):
                pass
    async with open_backends(settings, database_dsn) as backends:
        assert backends.archiver is not None
        assert (await backends.archiver.run(APRIL)).written


@pytest.mark.parametrize(
    "archive", ["s3://", "s3://UPPER/x", "s3://bucket/../other", "s3://bucket//x", "s3://key@bucket", "ftp://host", " "]
)
def test_an_archive_is_a_folder_or_a_place_in_s3(archive: str) -> None:
    with pytest.raises(ValidationError, match="archive"):
        Settings(archive=archive)


@pytest.mark.parametrize("archive", ["/srv/archive", "~/archive", "./a", "s3://bucket", "s3://a.b-c/one/t_w.o/"])
def test_where_an_archive_may_be(archive: str) -> None:
    assert Settings(archive=archive).archive == archive


def test_a_key_of_s3_needs_its_secret() -> None:
    with pytest.raises(ValidationError, match="R3EDGE_ARCHIVE_S3_SECRET_KEY belong together"):
        Settings(archive="s3://bucket", archive_s3_access_key=SecretStr("AKIA"))


async def test_months_are_archived_to_s3_as_the_settings_say(
    settings: Settings, database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store_history(database)
    given: dict[str, object] = {"archive": f"s3://{BUCKET}/a/b", "archive_s3_access_key": None}
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with running_s3() as server:
        given["archive_s3_endpoint"] = f"http://127.0.0.1:{server.port}"
        in_s3 = settings.model_copy(update=given)
        assert len((await run_archive(in_s3, None)).written) == 3
        assert check_lines(await check_files(in_s3))[-1].endswith("all are as written")


@pytest.mark.parametrize(
    ("months", "first"), [(0, (2026, 3)), (1, (2026, 2)), (2, (2026, 1)), (3, (2025, 12)), (27, (2023, 12))]
)
def test_so_many_whole_months_stay(months: int, first: tuple[int, int]) -> None:
    now = MARCH.replace(year=2026) + SECOND_HALF
    assert (boundary(now, months).year, boundary(now, months).month) == first
