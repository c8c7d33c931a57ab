from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from domain.core.clock import Clock
from infra.clock import SystemClock
from infra.doctor.database import NoDatabase, check_database, reached_database
from infra.doctor.doctor import examine
from infra.doctor.findings import Finding, Status
from infra.postgres.migrate import head
from infra.runtime.data_dir import DataDir, holder
from infra.settings import Settings
from infra.settings_loading import load_settings
from tests.support.clocks import ManualClock
from tests.support.postgres import copy_migrated_cluster, execute
from tests.support.silent_server import silent_server

PATIENCE_SECONDS = 30.0


async def checked(
    dsn: str, settings: Settings | None = None, clock: Clock | None = None, *, engine_runs: bool = False
) -> Mapping[str, Finding]:
    used = settings or load_settings(database_url="postgresql://u:p@db/r3edge")
    async with reached_database(dsn, PATIENCE_SECONDS) as connection:
        found = await check_database(connection, dsn, used, clock or SystemClock(), engine_runs=engine_runs)
    return {each.check: each for each in found}


async def test_a_migrated_database_is_well_but_for_the_settings_that_lose_orders(database_dsn: str) -> None:
    found = await checked(database_dsn)
    errors = {check for check, each in found.items() if each.status is Status.ERROR}
    # The server of the tests is fast, and forgets what a power cut interrupts.
    assert errors == {"database.fsync", "database.full_page_writes", "database.synchronous_commit"}
    assert all(each.advice for each in found.values() if each.status is Status.ERROR)
    assert {check for check, each in found.items() if each.status is Status.OK} >= {
        "database.reachable", "database.version", "database.schema", "database.writable", "database.encoding",
        "database.connections", "database.transactions", "database.clock", "database.encryption",
    }  # fmt: skip


async def test_an_older_a_newer_and_no_schema_each_have_their_advice(
    database_dsn: str, empty_database_dsn: str
) -> None:
    await execute(database_dsn, "UPDATE alembic_version SET version_num = '0001'")
    older = (await checked(database_dsn))["database.schema"]
    await execute(database_dsn, "UPDATE alembic_version SET version_num = '9999'")
    newer = (await checked(database_dsn))["database.schema"]
    none = (await checked(empty_database_dsn))["database.schema"]
    assert [each.status for each in (older, newer, none)] == [Status.ERROR] * 3
    assert older.message == f"the schema is 0001, and this version's {head()}"
    assert "r3edge migrate" in (older.advice or "")
    assert newer.advice == "run the newer version of the engine"
    assert none.message.startswith("the schema is not made yet")


async def test_a_database_that_takes_no_writes_is_an_error(database_dsn: str) -> None:
    name = urlsplit(database_dsn).path[1:]
    await execute(database_dsn, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    # The DSN of a pool asks for one that takes writes: this one chooses for itself.
    found = await checked(database_dsn + "&target_session_attrs=any")
    assert found["database.writable"].status is Status.ERROR


async def test_connections_are_free_for_the_pool_of_this_node(database_dsn: str) -> None:
    settings = load_settings(database_url="postgresql://u:p@db/r3edge", database_pool_size=200)
    assert (await checked(database_dsn, settings))["database.connections"].status is Status.WARNING
    pool = await asyncpg.connect(database_dsn, server_settings={"application_name": "r3edge"})
    found = (await checked(database_dsn, engine_runs=True))["database.connections"]
    await pool.close()
    assert found.status is Status.OK


async def test_a_clock_that_is_off_by_a_second_is_a_warning_and_by_more_than_nodes_bear_an_error(
    database_dsn: str,
) -> None:
    now = SystemClock().now()
    for behind, status in ((timedelta(seconds=5), Status.WARNING), (timedelta(hours=1), Status.ERROR)):
        found = (await checked(database_dsn, clock=ManualClock(now - behind)))["database.clock"]
        assert (found.status, found.advice) == (status, "keep both machines' clocks by NTP or chrony")


async def test_an_old_transaction_is_found(database_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.doctor.database.OLD_TRANSACTION", timedelta(seconds=-1))
    assert (await checked(database_dsn))["database.transactions"].status is Status.WARNING


async def test_a_server_that_takes_connections_and_answers_none_is_reported_as_other_than_one_that_is_away() -> None:
    async with silent_server() as port:
        dsn = f"postgresql://u:hunter2@127.0.0.1:{port}/r3edge"
        with pytest.raises(NoDatabase) as silent:
            async with reached_database(dsn, 0.2):
                raise AssertionError
    with pytest.raises(NoDatabase) as away:
        async with reached_database(dsn, PATIENCE_SECONDS):
            raise AssertionError
    assert silent.value.finding.message == f"127.0.0.1:{port}/r3edge can't be reached: it doesn't answer"
    assert away.value.finding.message == f"127.0.0.1:{port}/r3edge can't be reached: nothing listens there"
    assert "load" in (silent.value.finding.advice or "")
    assert "start PostgreSQL" in (away.value.finding.advice or "")


async def test_a_server_that_stops_answering_between_two_statements_is_reported_in_time(
    database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.doctor.database._FACTS", "SELECT pg_sleep(600)")
    settings = load_settings(database_url="postgresql://u:p@db/r3edge")
    async with reached_database(database_dsn, 5.0) as connection:
        (found,) = await check_database(connection, database_dsn, settings, SystemClock(), engine_runs=False)
    assert found.status is Status.ERROR
    assert found.message.endswith("stopped answering: it doesn't answer")


async def test_a_wrong_password_and_an_unknown_database_have_advice_of_their_own(database_dsn: str) -> None:
    parts = urlsplit(database_dsn)
    bad_password = parts._replace(netloc=f"{parts.username}:hunter2@").geturl()
    unknown = parts._replace(path="/nowhere").geturl()
    findings = []
    for dsn in (bad_password, unknown):
        with pytest.raises(NoDatabase) as raised:
            async with reached_database(dsn, PATIENCE_SECONDS):
                raise AssertionError
        findings.append(raised.value.finding)
    assert "hunter2" not in findings[0].message
    assert "user and password" in (findings[0].advice or "")
    assert "create the database" in (findings[1].advice or "")


async def test_the_embedded_database_is_started_for_the_check_and_stopped_again(data_folder: Path) -> None:
    copy_migrated_cluster(data_folder / "postgres")
    found = {each.check: each for each in await examine(PATIENCE_SECONDS, data_dir=data_folder, port=0)}
    assert found["database.schema"].status is Status.OK
    assert found["database.fsync"].status is Status.OK
    assert found["keys"].message == "there is no LIVE account"
    assert holder(data_folder) is None
    assert not (data_folder / "postgres" / "data" / "postmaster.pid").exists()


async def test_the_rest_is_checked_though_the_running_engines_database_is_away(data_folder: Path) -> None:
    (data_folder / "postgres" / "data").mkdir(parents=True)
    held = DataDir.hold(data_folder)
    # Half of the time it waits for the server that isn't there.
    found = {each.check: each for each in await examine(10, data_dir=data_folder, port=0)}
    held.release()
    assert found["database.server"].status is Status.ERROR
    assert found["keys"].status is Status.SKIPPED
    assert found["disk.space"].status is not Status.ERROR
