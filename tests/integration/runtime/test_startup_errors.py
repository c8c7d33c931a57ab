"""What an operator may have got wrong is printed by every command in one sentence that says what to do."""

import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import pytest

from infra.listening import listen_error
from infra.postgres.hosts import display_address
from infra.postgres.migrate import head
from infra.sandbox.process import CannotListen, open_listener
from infra.sandbox.state.state_folder import FolderUnusableError, StateFolder
from tests.support.engine import PROGRAM, engine_environment, run_program
from tests.support.postgres import copy_migrated_cluster

COMMANDS = (
    ("migrate",),
    ("serve", "--port", "0"),
    ("user", "promote", "ada@example.com"),
    ("backfill", "sandbox", "BTC/USDT", "--timeframe", "1m", "--from", "2026-01-01"),
)


def error_line(done: "subprocess.CompletedProcess[str]", code: int = 1) -> str:
    """Return the only line that a command said before it ended with this code."""
    assert done.returncode == code, done
    (line,) = done.stderr.splitlines()
    return line


def error_lines(folder: Path, database_url: str) -> list[str]:
    """Return what each command that opens the database says, all run at once, each in a data directory of its own."""

    def run(command: tuple[str, ...]) -> "subprocess.CompletedProcess[str]":
        return run_program(*command, R3EDGE_DATABASE_URL=database_url, R3EDGE_DATA_DIR=str(folder / command[0]))

    with ThreadPoolExecutor() as threads:
        return [error_line(done) for done in threads.map(run, COMMANDS)]


async def test_an_older_version_on_newer_data_reports_it_and_changes_nothing(tmp_path: Path, database_dsn: str) -> None:
    connection = await asyncpg.connect(database_dsn)
    await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    for line in error_lines(tmp_path, database_dsn):
        assert "schema 9999 of a newer version" in line
        assert f"up to {head()}" in line
        assert "run the newer version again" in line
    assert await connection.fetchval("SELECT version_num FROM alembic_version") == "9999"
    await connection.close()


async def test_a_database_that_is_somebody_elses_is_left_as_it_was(empty_database_dsn: str) -> None:
    connection = await asyncpg.connect(empty_database_dsn)
    await connection.execute("CREATE TABLE users (theirs int)")
    line = error_line(run_program("migrate", R3EDGE_DATABASE_URL=empty_database_dsn))
    assert 'relation "users" already exists' in line
    assert "is as it was" in line
    assert await connection.fetchval("SELECT to_regclass('orders') IS NULL")
    await connection.close()


def test_a_database_that_cannot_be_reached_is_named_without_its_password(tmp_path: Path) -> None:
    url = "postgresql://ada:hunter2@127.0.0.1:1/c?application_name=hunter2"
    for line in error_lines(tmp_path, url):
        assert "the database at 127.0.0.1:1/c can't be reached: nothing listens there" in line
        assert "hunter2" not in line
        assert "ada" not in line


@pytest.mark.parametrize(
    ("dsn", "shown"),
    [
        ("postgresql://u:p@h/d", "h:5432/d"),
        ("postgres://u:p@h1:1,h2/d?sslmode=require", "h1:1,h2:5432/d"),
        ("postgresql://[::1]:7/d", "[::1]:7/d"),
        ("postgresql://[::1]/d", "[::1]:5432/d"),
        ("postgresql:///d?host=/run/postgresql&user=u", "/run/postgresql:5432/d"),
    ],
)
def test_an_address_is_shown_without_who_uses_it(dsn: str, shown: str) -> None:
    assert display_address(dsn) == shown


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("127.0.0.1", "something listens there already"),
        ("192.0.2.1", "this machine has no such address"),
        ("nowhere.invalid", "nobody knows the name"),
        ("x" * 70 + ".invalid", "nobody knows the name"),
    ],
)
def test_an_address_that_cannot_be_listened_on_is_reported_with_what_is_wrong_with_it(
    host: str, words: str, taken_port: int
) -> None:
    with pytest.raises(CannotListen) as refused:
        open_listener(host, taken_port)
    assert str(refused.value).startswith(f"{host}:{taken_port} can't be listened on: {words}")


def test_a_port_that_the_user_may_not_take_is_reported_as_such() -> None:
    assert "a --port of 1024 or above" in listen_error("127.0.0.1", 81, PermissionError(13, "Permission denied"))


def test_the_engine_reports_that_its_port_is_taken_and_nothing_else(taken_port: int, data_folder: Path) -> None:
    copy_migrated_cluster(data_folder / "postgres")
    done = run_program("serve", "--data-dir", str(data_folder), "--port", str(taken_port))
    # A machine that stood still meanwhile is the one other thing that may be reported.
    lines = [line for line in done.stderr.splitlines() if "the event loop was blocked for" not in line]
    line = error_line(subprocess.CompletedProcess(done.args, done.returncode, stderr="\n".join(lines)))
    assert line.startswith("r3edge can't start: 127.0.0.1:")
    assert "something listens there already" in line


@pytest.mark.parametrize("spoilt", ["folder is a file", "no database", "token unreadable", "database is a folder"])
def test_a_sandbox_folder_that_cannot_be_used_is_reported(spoilt: str, data_folder: Path) -> None:
    folder = data_folder / "sandbox"
    if spoilt == "folder is a file":
        folder.write_text("x")
    else:
        folder.mkdir()
        (folder / "sandbox.sqlite3").write_text("this is no database at all") if spoilt == "no database" else None
        (folder / "sandbox.sqlite3").mkdir() if spoilt == "database is a folder" else None
        (folder / "admin-token").write_bytes(b"\xff\xfe") if spoilt == "token unreadable" else None
    with pytest.raises(FolderUnusableError) as refused, StateFolder(folder):
        pass
    assert str(refused.value).startswith(f"{folder} can't be used by the sandbox exchange: ")


def test_the_engine_reports_a_sandbox_folder_that_cannot_be_used(data_folder: Path) -> None:
    copy_migrated_cluster(data_folder / "postgres")
    (data_folder / "sandbox").mkdir()
    (data_folder / "sandbox" / "sandbox.sqlite3").write_text("this is no database at all")
    done = run_program("serve", "--port", "0", "--data-dir", str(data_folder))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"{data_folder / 'sandbox'} can't be used by the sandbox exchange: file is not a database" in done.stderr


def test_the_version_is_printed() -> None:
    done = run_program("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("r3edge-engine ")


def test_migrate_waits_for_a_database_that_is_just_starting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    url = f"postgresql://u@127.0.0.1:{port}/d"
    command = [PROGRAM, "migrate", "--wait", "60"]
    environment = engine_environment(R3EDGE_DATABASE_URL=url)
    waiting = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    with socket.create_server(("127.0.0.1", port)) as listener:
        peer, _ = listener.accept()  # it asks again and again, until somebody listens
        peer.close()
        assert waiting.poll() is None
    waiting.terminate()
    waiting.communicate()


def test_no_flag_looks_as_if_it_took_a_value() -> None:
    assert "bool" not in run_program("import", "candles", "--help").stdout.lower()
