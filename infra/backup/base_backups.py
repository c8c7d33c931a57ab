"""Makes base backups of a running embedded PostgreSQL, and checks them."""

import asyncio
import importlib.metadata
import os
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg

from infra.backup.folder import CLUSTER, Backup, BackupFolder, BackupsUnusable, kept, size_bytes
from infra.backup.manifest import first_segment, manifest_errors
from infra.backup.wal import archive_settings, remove_before, wal_errors
from infra.postgres.server.embedded import PASSWORD_FILE
from infra.postgres.server.installation import EmbeddedPostgresError, binary, server_environment
from infra.sandbox.state.state_folder import DATABASE_FILE

_BASE_OPTIONS = (
    "--format=tar",
    "--compress=client-gzip:1",
    "--wal-method=stream",
    "--checkpoint=fast",
    "--manifest-checksums=SHA256",
    "--no-password",
)


async def create_backup(folder: BackupFolder, dsn: str, data_dir: Path) -> Backup:
    """Back the server up while it runs, with its password and the sandboxes' states; return the backup.

    Raises `BackupsUnusable` if the server doesn't copy its log to the folder: it could be restored to no later moment.
    """
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        command = await connection.fetchval("SELECT current_setting('archive_command')")
        if command != archive_settings(folder.wal)["archive_command"]:
            raise BackupsUnusable(f"PostgreSQL runs without copying its log to {folder.wal}: start the engine again")
        started_at = datetime.now(UTC)
        name = f"{started_at:%Y%m%dT%H%M%S.%f}Z"
        unfinished = folder.begin(name)
        await _run("pg_basebackup", f"--pgdata={unfinished / CLUSTER}", *_BASE_OPTIONS, dsn=dsn)
        _copy_state(data_dir, unfinished)
        ended_at = await connection.fetchval("SELECT clock_timestamp()")
        version = importlib.metadata.version("r3edge-engine")
        size, first = size_bytes(unfinished), first_segment(unfinished / CLUSTER)
        backup = Backup(name, started_at, ended_at, first, size, version)
        folder.complete(unfinished, backup)
        await connection.fetchval("SELECT pg_switch_wal()")
    finally:
        await connection.close()
    return backup


def keep_newest(folder: BackupFolder, count: int) -> int:
    """Delete all backups but the newest `count`, and the log before them; return how many backups were deleted."""
    newest, old = kept(folder.backups(), count)
    for backup in old:
        folder.remove(backup)
    if newest:
        remove_before(folder.wal, [backup.first_segment for backup in newest])
    return len(old)


async def verify_backups(folder: BackupFolder) -> list[str]:
    """Return what is wrong with the backups, by their manifests, and with the log since the oldest."""
    errors, backups = [], folder.backups()
    for backup in backups:
        found = await asyncio.to_thread(manifest_errors, folder.of(backup.name) / CLUSTER)
        errors += [f"{backup.name}: {error}" for error in found]
    if backups:
        firsts = [backup.first_segment for backup in backups]
        errors += await asyncio.to_thread(wal_errors, folder.wal, firsts)
    return errors


def _copy_state(data_dir: Path, unfinished: Path) -> None:
    """Copy the server's password, which the restored one has again, and each sandbox's state as of one moment."""
    shutil.copy2(data_dir / "postgres" / PASSWORD_FILE, unfinished / PASSWORD_FILE)
    for state in data_dir.glob(f"*/{DATABASE_FILE}"):
        target = unfinished / "sandboxes" / state.parent.name / DATABASE_FILE
        target.parent.mkdir(parents=True)
        with (
            closing(sqlite3.connect(f"file:{state}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(target)) as copy,
        ):
            source.backup(copy)


async def _run(program: str, *arguments: str, dsn: str | None = None) -> None:
    """Run one of PostgreSQL's programs; raises `EmbeddedPostgresError` with what it said."""
    environment = server_environment()
    if dsn is not None:
        environment |= connection_environment(dsn)
    process = await asyncio.create_subprocess_exec(
        binary(program), *arguments, env=environment, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        _, errors = await process.communicate()
    except asyncio.CancelledError:
        process.terminate()
        await process.wait()
        raise
    if process.returncode != 0:
        raise EmbeddedPostgresError(f"{program} failed: {errors.decode(errors='replace').strip()[-1000:]}")


def connection_environment(dsn: str) -> dict[str, str]:
    """Return the address for libpq by its variables: a command line can be read by everybody on the machine."""
    parts = urlsplit(dsn)
    options = parse_qs(parts.query)
    return {
        "PGHOST": options["host"][0],
        "PGPORT": options["port"][0],
        "PGUSER": parts.username or "",
        "PGPASSWORD": parts.password or "",
        "HOME": os.devnull,
    }
