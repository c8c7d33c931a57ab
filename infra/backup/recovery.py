"""Recovers the embedded PostgreSQL from a backup and the log after it, up to a moment."""

import asyncio
import os
import shutil
import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import asyncpg

from infra.backup.folder import CLUSTER, Backup, BackupFolder, BackupsUnusable
from infra.backup.wal import archive_settings, newest_segment, restore_command
from infra.postgres.hosts import TIMELINE
from infra.postgres.server.embedded import DATA_FOLDER, PASSWORD_FILE, EmbeddedPostgres
from infra.postgres.server.installation import EmbeddedPostgresError
from infra.postgres.server.server_user import ServerUser, own, server_user

RECOVERY_SECONDS: Final = 6 * 3_600.0
_POLL_SECONDS: Final = 0.1
UNFINISHED: Final = "restore-unfinished"
"""Beside the database from before it is replaced until it is marked as restored; it names the one that was replaced."""
_TOO_SHORT: Final = "before configured recovery target was reached"
_LAST_COMMIT: Final = "SELECT pg_last_xact_replay_timestamp()"


Start = tuple[Backup, str]
"""A backup, and the timeline to follow from it; see `BackupFolder.to_restore`."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a recovery has done: up to when the database knows, and where the one before it lies, if there was one."""

    backup: Backup
    restored_to: datetime
    replaced: Path | None
    sandboxes: tuple[str, ...]


async def put_back(folder: BackupFolder, backup: Backup, data_dir: Path) -> tuple[Path | None, tuple[str, ...]]:
    """Put a backup in the place of the database in the data directory, and bring back sandboxes that are missing.

    The present database is stopped and kept beside it; returns where, and which sandboxes were brought back. Nothing
    else starts the database before `finish`; after a restore that was interrupted the database before that is returned.
    """
    postgres = data_dir / "postgres"
    await EmbeddedPostgres(postgres).stop()  # an engine that was killed may have left it running
    return await asyncio.to_thread(_put_back, folder.of(backup.name), postgres)


def finish(data_dir: Path) -> None:
    """Let the restored database be used: it is marked as restored."""
    (data_dir / "postgres" / UNFINISHED).unlink(missing_ok=True)


def refuse_unfinished(data_dir: Path) -> None:
    """Raise `BackupsUnusable` if a restore was interrupted: the database is missing, or not marked as restored."""
    if (data_dir / "postgres" / UNFINISHED).exists():
        raise BackupsUnusable(f"a restore of the database in {data_dir} was interrupted: repeat r3edge backup restore")


async def recover(
    folder: BackupFolder, start: Start, data_dir: Path, moment: datetime | None, lost: Path | None
) -> tuple[EmbeddedPostgres, datetime]:
    """Start the database that was put back, and replay the log up to the moment; None replays all of it.

    Returns the running server, and up to when it knows. Raises `BackupsUnusable` if the log ends before the moment.
    """
    try:
        return await _replay(folder, start, data_dir, moment, lost)
    except EmbeddedPostgresError:
        if moment is None or _TOO_SHORT not in _log_tail(data_dir):
            raise
    # PostgreSQL stops at the first commit after the moment, and here there is none.
    if lost is None and _copied_until(folder) < moment:
        raise BackupsUnusable(
            f"the log ends before {moment:%Y-%m-%d %H:%M:%S} UTC; without --to all of it is restored"
        ) from None
    server, _ = await _replay(folder, start, data_dir, None, lost)
    return server, moment


async def timeline_of(dsn: str) -> int:
    """Return the timeline that the recovered server writes."""
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        timeline: int = await connection.fetchval(TIMELINE)
    finally:
        await connection.close()
    return timeline


async def _replay(
    folder: BackupFolder, start: Start, data_dir: Path, moment: datetime | None, lost: Path | None
) -> tuple[EmbeddedPostgres, datetime]:
    target = {} if moment is None else {"recovery_target_time": moment.isoformat()}
    settings = {
        **archive_settings(folder.wal),
        "restore_command": restore_command(folder.wal, lost),
        "recovery_target_action": "promote",
        "recovery_target_timeline": start[1],
        **target,
    }
    server = EmbeddedPostgres(data_dir / "postgres", settings)
    try:
        await server.start(RECOVERY_SECONDS)
        last_commit = await _until_recovered(server.dsn)
    except (EmbeddedPostgresError, OSError, asyncpg.PostgresError) as error:
        await server.stop()
        raise EmbeddedPostgresError(f"the log can't be replayed: {error}") from error
    return server, moment or last_commit or start[0].ended_at


def _copied_until(folder: BackupFolder) -> datetime:
    newest = newest_segment(folder.wal)
    return datetime.min.replace(tzinfo=UTC) if newest is None else datetime.fromtimestamp(newest.stat().st_mtime, UTC)


async def _until_recovered(dsn: str) -> datetime | None:
    """Return the time of the last commit that was replayed, once the server takes writes."""
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        while await connection.fetchval("SELECT pg_is_in_recovery()"):  # noqa: ASYNC110  # the server tells nobody
            await asyncio.sleep(_POLL_SECONDS)
        last: datetime | None = await connection.fetchval(_LAST_COMMIT)
    finally:
        await connection.close()
    return last


def _put_back(backup: Path, postgres: Path) -> tuple[Path | None, tuple[str, ...]]:
    data, now = postgres / DATA_FOLDER, datetime.now(UTC)
    user = server_user(data)
    fresh = postgres / f"{DATA_FOLDER}.restoring"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700, parents=True)
    for archive, place in (("base.tar.gz", fresh), ("pg_wal.tar.gz", fresh / "pg_wal")):
        with tarfile.open(backup / CLUSTER / archive) as files:
            files.extractall(place, filter="fully_trusted")  # noqa: S202  # pg_basebackup's own
    (fresh / "recovery.signal").touch()
    if user is not None:
        _give(postgres, user)
        _give(fresh, user)
    replaced = _replace(data, fresh, postgres / f"{DATA_FOLDER}.before-{now:%Y%m%dT%H%M%S.%f}Z")
    shutil.copy2(backup / PASSWORD_FILE, postgres / PASSWORD_FILE)
    return replaced, tuple(_missing_sandboxes(backup / "sandboxes", postgres.parent))


def _replace(data: Path, fresh: Path, before: Path) -> Path | None:
    """Put `fresh` in the place of `data`, which becomes `before`; return the database whose log may be younger."""
    unfinished = data.parent / UNFINISHED
    named = unfinished.read_text() if unfinished.exists() else ""
    replaced = before if data.exists() else None
    if named and (data.parent / named).exists():
        replaced = data.parent / named
    unfinished.write_text("" if replaced is None else replaced.name)
    if data.exists():
        data.rename(before)
    fresh.rename(data)
    return replaced


def _missing_sandboxes(backup: Path, data_dir: Path) -> list[str]:
    """Bring the sandboxes' states back whose folders are gone: one that is there knows what was traded since."""
    restored = []
    for state in sorted(backup.glob("*/*")):
        place = data_dir / state.parent.name / state.name
        if not place.exists():
            place.parent.mkdir(mode=0o700, exist_ok=True)
            shutil.copy2(state, place)
            restored.append(state.parent.name)
    return restored


def _give(folder: Path, user: ServerUser) -> None:
    own(folder, user)
    if folder.name.endswith(".restoring"):
        for path in folder.rglob("*"):
            os.chown(path, user.uid, user.gid, follow_symlinks=False)


def _log_tail(data_dir: Path) -> str:
    logs = sorted((data_dir / "postgres" / DATA_FOLDER / "log").glob("*.log"), key=lambda log: log.stat().st_mtime)
    return "".join(log.read_text(errors="replace")[-5_000:] for log in logs[-1:])
