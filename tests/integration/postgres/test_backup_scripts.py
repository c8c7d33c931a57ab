"""The scripts of `deploy/postgres`: they copy the log, make base backups, and bring both back."""

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import asyncpg

from infra.backup.base_backups import connection_environment
from infra.postgres.server.embedded import EmbeddedPostgres
from infra.postgres.server.installation import binary
from infra.postgres.server.server_user import make_reachable, own, server_user
from tests.support.postgres import copy_migrated_cluster
from tests.support.waiting import eventually, read_until

SCRIPTS = Path(__file__).parents[3] / "deploy" / "postgres"


def _base_backup(folder: Path, server: EmbeddedPostgres, keep: int) -> list[Path]:
    """Run the script; return the backups that are there then, oldest first."""
    path = f"{binary('postgres').parent}:{os.environ['PATH']}"
    environment = {**connection_environment(server.dsn), "PATH": path, "R3EDGE_BACKUPS": str(folder)}
    subprocess.run([SCRIPTS / "base-backup", str(keep)], env=environment, check=True, capture_output=True)
    return sorted((folder / "base").iterdir())


async def _is_stored(server: EmbeddedPostgres, number: int) -> bool:
    connection = await asyncpg.connect(server.dsn)
    try:
        return bool(await connection.fetchval("SELECT true FROM numbers WHERE number = $1", number))
    finally:
        await connection.close()


async def _run(server: EmbeddedPostgres, *statements: str) -> None:
    connection = await asyncpg.connect(server.dsn)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


async def test_a_server_is_restored_by_the_scripts_and_the_log_is_kept_no_longer_than_needed(data_folder: Path) -> None:
    folder, tools, postgres = data_folder / "backups", data_folder / "tools", data_folder / "postgres"
    wal = folder / "wal"
    wal.mkdir(parents=True)
    tools.mkdir()
    for name in ("archive-wal", "restore-wal"):
        shutil.copy(SCRIPTS / name, tools)
    copy_migrated_cluster(postgres)
    if (user := server_user(postgres / "data")) is not None:
        own(wal, user)
        make_reachable(wal, user)
    archiving = {"archive_mode": "on", "archive_command": f"R3EDGE_WAL={wal} {tools}/archive-wal %p %f"}
    server = EmbeddedPostgres(postgres, archiving)
    await server.start()
    await _run(server, "CREATE TABLE numbers (number integer)", "SELECT pg_switch_wal()")
    await eventually(lambda: any(wal.glob("0*.gz")), "a segment is copied")
    before = min(path.name for path in wal.glob("0*.gz"))
    (backup,) = _base_backup(folder, server, keep=1)
    assert before not in {path.name for path in wal.glob("0*.gz")}
    await _run(server, "INSERT INTO numbers VALUES (1)")
    await server.stop()  # which copies the rest of the log

    data = postgres / "data"
    data.rename(postgres / "data.before")
    data.mkdir(mode=0o700)
    for archive, place in (("base.tar.gz", data), ("pg_wal.tar.gz", data / "pg_wal")):
        with tarfile.open(backup / archive) as files:
            files.extractall(place, filter="fully_trusted")  # pg_basebackup's own
    (data / "recovery.signal").touch()
    if user is not None:
        for path in (data, *data.rglob("*")):
            own(path, user)
    restored = EmbeddedPostgres(
        postgres, {**archiving, "restore_command": f"R3EDGE_WAL={wal} {tools}/restore-wal %f %p"}
    )
    await restored.start()
    try:
        await read_until(lambda: _is_stored(restored, 1), bool, "the log is replayed")
    finally:
        await restored.stop()
