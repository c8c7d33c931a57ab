"""Checks the backups of the embedded database: whether there is a young one, and whether the log is being copied."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from domain.core.clock import Clock
from infra.backup.folder import BackupFolder
from infra.backup.wal import newest_segment
from infra.doctor.findings import Finding, error, ok, skipped, warning
from infra.runtime.data_dir import holder
from infra.settings import Settings

OLD_BACKUP: Final = timedelta(days=2)
OLD_LOG: Final = timedelta(minutes=10)
"""An engine that runs writes something each minute, and a segment is copied a minute later."""


def check_backups(settings: Settings, clock: Clock) -> Sequence[Finding]:
    """Return what was found in the folder of backups."""
    if settings.database_url is not None:
        return [skipped("backups.newest", "the database is your own: deploy/postgres has scripts for its backups")]
    if settings.backups is None:
        return [skipped("backups.newest", "there are none; R3EDGE_BACKUPS names a folder for them")]
    folder, now = BackupFolder(Path(settings.backups)), clock.now()
    return [_newest(folder, now), _log(folder, now, holder(settings.data_dir.expanduser().absolute()))]


def _newest(folder: BackupFolder, now: datetime) -> Finding:
    name, backups = "backups.newest", folder.backups()
    if not backups:
        return warning(name, f"there is no backup in {folder.path}", "make one: r3edge backup create")
    message = f"the newest backup in {folder.path} is of {backups[-1].ended_at:%Y-%m-%d %H:%M} UTC"
    if now - backups[-1].ended_at > OLD_BACKUP:
        return warning(name, message, "make one each day: r3edge backup create --keep 7")
    return ok(name, message)


def _log(folder: BackupFolder, now: datetime, running: str | None) -> Finding:
    name, newest = "backups.log", newest_segment(folder.wal)
    if running is None:
        return skipped(name, "no engine runs, so nothing is copied")
    if newest is None:
        return warning(name, f"no log was copied to {folder.wal} yet", "start the engine with R3EDGE_BACKUPS set")
    copied_at = datetime.fromtimestamp(newest.stat().st_mtime, UTC)
    message = f"the log was last copied to {folder.wal} at {copied_at:%Y-%m-%d %H:%M} UTC"
    if now - copied_at > OLD_LOG:
        advice = "look whether that disk is full or gone: PostgreSQL's own disk fills meanwhile; its log says why"
        return error(name, message, advice)
    return ok(name, message)
