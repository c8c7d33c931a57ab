import asyncio
import os
import signal
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from infra.postgres.server.embedded import EmbeddedPostgres
from infra.postgres.server.installation import EmbeddedPostgresError
from infra.postgres.server.postmaster import running_postmaster
from infra.postgres.server.server_user import ServerFilesUnreachable, ServerUser, make_reachable
from tests import at
from tests.support.postgres import copy_migrated_cluster, execute
from tests.support.require import require_or_skip

Make = Callable[..., EmbeddedPostgres]

STARTER = """
import asyncio, sys
from pathlib import Path
from infra.postgres.server.embedded import EmbeddedPostgres

async def main():
    await EmbeddedPostgres(Path(sys.argv[1])).start()
    print("started", flush=True)
    await asyncio.sleep(3600)

asyncio.run(main())
"""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="it is about running as root")


@pytest.fixture
async def make(data_folder: Path) -> AsyncIterator[Make]:
    made: list[EmbeddedPostgres] = []

    def make_one(
        folder: Path = data_folder / "postgres", settings: dict[str, str] | None = None, *, first_start: bool = False
    ) -> EmbeddedPostgres:
        if not first_start and not (folder / "data").exists():
            copy_migrated_cluster(folder)
        made.append(EmbeddedPostgres(folder, settings))
        return made[-1]

    yield make_one
    for server in made:
        await server.stop()


async def value(server: EmbeddedPostgres, query: str) -> object:
    connection = await asyncpg.connect(server.dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def mode_of(path: str | Path) -> int:
    return Path(path).stat().st_mode & 0o777


def owner_of(path: str | Path) -> int:
    return Path(path).stat().st_uid


def exists(path: str) -> bool:
    return Path(path).exists()


def pid_of(folder: Path) -> int:
    return int((folder / "data" / "postmaster.pid").read_text().split()[0])


async def test_a_first_start_makes_a_safe_cluster_and_a_second_one_finds_the_data(make: Make) -> None:
    server = make(first_start=True)
    await server.start()
    await execute(server.dsn, "CREATE TABLE kept AS SELECT 42 AS value")
    safe = {"fsync": "on", "synchronous_commit": "on", "data_checksums": "on", "full_page_writes": "on"}
    assert {name: await value(server, f"SHOW {name}") for name in safe} == safe
    assert await value(server, "SHOW listen_addresses") == ""
    await server.stop()

    await server.start()
    assert await value(server, "SELECT value FROM kept") == 42


async def test_the_password_is_asked_for_and_nobody_else_can_reach_the_socket(make: Make, data_folder: Path) -> None:
    server = make()
    await server.start()
    password = data_folder / "postgres" / "password"
    assert mode_of(password) == 0o600
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(server.dsn.replace(password.read_text(), "guessed"))
    socket_folder = str(await value(server, "SHOW unix_socket_directories"))
    assert mode_of(socket_folder) == 0o700


async def test_a_server_outlives_the_kill_of_its_starter_and_is_taken_over(make: Make, data_folder: Path) -> None:
    folder = data_folder / "postgres"
    copy_migrated_cluster(folder)
    starter = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", STARTER, str(folder)), stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": "."}
    )
    assert starter.stdout is not None
    assert await starter.stdout.readline() == b"started\n"
    pid = pid_of(folder)
    starter.kill()
    await starter.wait()

    server = make()
    await server.start()
    assert await value(server, "SELECT 1") == 1
    assert pid_of(folder) == pid
    await server.stop()
    assert running_postmaster(folder / "data") is None
    assert not (folder / "data" / "postmaster.pid").exists()


async def test_it_is_out_of_reach_of_the_terminals_interrupt(make: Make, data_folder: Path) -> None:
    await make().start()
    assert os.getsid(pid_of(data_folder / "postgres")) != os.getsid(0)


async def test_what_was_committed_survives_the_kill_of_the_server(make: Make, data_folder: Path) -> None:
    server = make()
    await server.start()
    await execute(server.dsn, "CREATE TABLE kept AS SELECT 42 AS value")
    os.kill(pid_of(data_folder / "postgres"), signal.SIGKILL)

    again = make()
    await again.start()
    assert await value(again, "SELECT value FROM kept") == 42
    await server.stop()


async def test_a_pid_file_that_names_a_stranger_is_no_obstacle(make: Make, data_folder: Path) -> None:
    server = make()
    await server.start()
    pid_file = data_folder / "postgres" / "data" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    await server.stop()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    os.chown(pid_file, pid_file.parent.stat().st_uid, pid_file.parent.stat().st_gid)

    await server.start()
    assert await value(server, "SELECT 1") == 1
    assert pid_of(data_folder / "postgres") != os.getpid()


async def test_a_first_start_that_was_cut_off_is_done_again(make: Make, data_folder: Path) -> None:
    unfinished = data_folder / "postgres" / "data.new"
    unfinished.mkdir(parents=True)
    (unfinished / "half").write_text("of a cluster")
    (data_folder / "postgres" / "password").write_text("of that one")

    server = make(first_start=True)
    await server.start()
    assert await value(server, "SELECT 1") == 1


async def test_a_data_folder_deeper_than_a_sockets_path_may_be_is_fine(make: Make, data_folder: Path) -> None:
    server = make(data_folder / ("deep" * 30) / "postgres")
    await server.start()
    socket_folder = str(await value(server, "SHOW unix_socket_directories"))
    again = make(data_folder / ("deep" * 30) / "postgres")
    await again.start()
    assert again.dsn == server.dsn
    await again.stop()
    assert not exists(socket_folder)


async def test_a_setting_that_the_server_refuses_is_reported_in_its_words(make: Make) -> None:
    server = make(settings={"shared_buffers": "plenty"})
    with pytest.raises(EmbeddedPostgresError, match='invalid value for parameter "shared_buffers"'):
        await server.start()


async def test_a_lost_password_is_reported_and_not_thrown(make: Make, data_folder: Path) -> None:
    server = make()
    await server.start()
    (data_folder / "postgres" / "password").write_text("another")
    with pytest.raises(EmbeddedPostgresError, match="password authentication failed"):
        await make().start()


async def test_a_folder_that_can_not_be_made_is_reported(make: Make, data_folder: Path) -> None:
    (data_folder / "file").touch()
    with pytest.raises(EmbeddedPostgresError, match="Not a directory"):
        await make(data_folder / "file" / "postgres", first_start=True).start()


async def test_its_time_is_the_engines(postgres_server: EmbeddedPostgres) -> None:
    connection = await asyncpg.connect(postgres_server.dsn)
    server_time = await connection.fetchval("SELECT now()")
    await connection.close()
    assert abs(server_time - datetime.now(UTC)) < timedelta(minutes=1)


async def test_stopping_what_does_not_run_does_nothing(make: Make) -> None:
    await make().stop()


async def test_it_has_no_address_before_it_was_started(make: Make) -> None:
    with pytest.raises(EmbeddedPostgresError, match="not been started"):
        _ = make().dsn


@as_root
async def test_as_root_it_runs_as_another_user_in_a_folder_of_roots_own(make: Make, data_folder: Path) -> None:
    private = data_folder / "private"
    private.mkdir(mode=0o700)
    server = make(private / "postgres", first_start=True)
    await server.start()
    assert owner_of(f"/proc/{pid_of(private / 'postgres')}") != 0
    user = owner_of(private / "postgres" / "data")
    listing = await asyncio.create_subprocess_exec("ls", private, user=user, stderr=subprocess.DEVNULL)
    assert await listing.wait() != 0


@as_root
def test_a_folder_that_can_not_be_opened_to_one_user_is_named_with_what_to_do() -> None:
    with pytest.raises(
        ServerFilesUnreachable, match=r"the user nobody .* can't pass /proc/\d+/fd\. Choose another --data-dir"
    ):
        make_reachable(Path("/proc/self/fd"), ServerUser("nobody", 65534, 65534))


@as_root
def test_whether_a_user_can_pass_a_folder_does_not_depend_on_the_engine_s_environment(
    data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = at.library()
    require_or_skip(library, "libfaketime is not installed")
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("FAKETIME_SHARED", "one-word-where-it-reads-two")
    make_reachable(data_folder, ServerUser("nobody", 65534, 65534))


@as_root
def test_a_folder_of_another_group_is_left_alone_and_named_with_what_to_do(data_folder: Path) -> None:
    shared = data_folder / "shared"
    shared.mkdir(mode=0o750)
    data_folder.chmod(0o750)
    with pytest.raises(ServerFilesUnreachable, match=f"can't pass {data_folder}"):
        make_reachable(shared, ServerUser("nobody", 65534, 65534))
    assert (data_folder.stat().st_gid, data_folder.stat().st_mode & 0o777) == (os.getgid(), 0o750)


@as_root
def test_an_access_control_entry_of_an_earlier_version_is_enough(data_folder: Path) -> None:
    entries = ((0x01, 7, -1), (0x02, 1, 65534), (0x04, 0, -1), (0x10, 1, -1), (0x20, 0, -1))
    packed = b"".join(struct.pack("<HHi", *entry) for entry in entries)
    os.setxattr(data_folder, "system.posix_acl_access", struct.pack("<I", 2) + packed)
    make_reachable(data_folder, ServerUser("nobody", 65534, 65534))
    assert data_folder.stat().st_gid == os.getgid()
