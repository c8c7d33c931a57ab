"""The folder of backups: `base/NAME` for each backup, and `wal` for the segments since the oldest."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

RECORD: Final = "backup.json"
RESTORES: Final = "restores.json"
CLUSTER: Final = "postgres"
"""The part of a backup that pg_basebackup has written."""


class BackupsUnusable(Exception):
    """There is no backup for what was asked, or the folder can't be used."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A base backup. It can be restored to any moment from `ended_at` on; `first_segment` is where its log begins."""

    name: str
    started_at: datetime
    ended_at: datetime
    first_segment: str
    size_bytes: int
    engine_version: str


@dataclass(frozen=True, slots=True)
class Undone:
    """The stretch of time after `restored_to` that a restore, made `at` that time, has undone.

    `timeline` is the one that the restore has begun: what is written from then on is in its log.
    """

    restored_to: datetime
    at: datetime
    timeline: int | None = None

    def has(self, moment: datetime) -> bool:
        """Return whether a moment is in it."""
        return self.restored_to < moment <= self.at


class BackupFolder:
    """The base backups in a folder, and where everything lies."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        self.wal = self.path / "wal"
        self._base = self.path / "base"

    def __repr__(self) -> str:
        return f"BackupFolder({str(self.path)!r})"

    def of(self, name: str) -> Path:
        """Return the folder of a backup."""
        return self._base / name

    def backups(self) -> list[Backup]:
        """Return the complete backups, oldest first."""
        records = sorted(self._base.glob(f"*/{RECORD}"))
        return [msgspec.json.decode(record.read_bytes(), type=Backup) for record in records]

    def begin(self, name: str) -> Path:
        """Return an empty folder for a new backup, which doesn't count before `complete`."""
        unfinished = self._base / f"{name}.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700, parents=True)
        return unfinished

    def complete(self, unfinished: Path, backup: Backup) -> None:
        """Make an unfinished backup count; it survives a power failure, since older ones may be deleted now."""
        (unfinished / RECORD).write_bytes(msgspec.json.encode(backup))
        _make_durable(unfinished / RECORD)
        _make_durable(unfinished)
        unfinished.rename(self.of(backup.name))
        _make_durable(self._base)

    def remove(self, backup: Backup) -> None:
        """Delete a backup; one that is half deleted doesn't count any more."""
        (self.of(backup.name) / RECORD).unlink()
        shutil.rmtree(self.of(backup.name))

    def undone(self) -> list[Undone]:
        """Return the stretches of time that restores have undone, oldest first."""
        file = self.path / RESTORES
        return msgspec.json.decode(file.read_bytes(), type=list[Undone]) if file.exists() else []

    def note_restore(self, restored_to: datetime, at: datetime, timeline: int) -> None:
        """Note that what happened between the two moments is undone: backups of it don't lead to what comes later."""
        text = msgspec.json.encode([*self.undone(), Undone(restored_to, at, timeline)])
        unfinished = self.path / f"{RESTORES}.new"
        unfinished.write_bytes(text)
        _make_durable(unfinished)
        unfinished.replace(self.path / RESTORES)

    def to_restore(self, moment: datetime | None) -> tuple[Backup, str]:
        """Return the backup from which that moment is reached soonest, and the timeline to follow; None is the end.

        A moment that a restore has undone is on the timeline that the restore before it has begun, if there was one, or
        on that of the backups. Raises `BackupsUnusable`.
        """
        backups, undone = self.backups(), self.undone()
        if not backups:
            raise BackupsUnusable(f"there is no backup in {self.path}")
        within = [stretch for stretch in undone if moment is not None and stretch.has(moment)]
        others = [stretch for stretch in undone if stretch not in within]
        before = [
            backup
            for backup in backups
            if (moment is None or backup.ended_at <= moment)
            and not any(stretch.has(backup.ended_at) for stretch in others)
        ]
        if not before:
            first = f"{backups[0].ended_at:%Y-%m-%d %H:%M:%S} UTC"
            raise BackupsUnusable(f"the oldest backup is of {first}; no earlier moment can be restored")
        if moment is None or not within:
            return before[-1], "latest"
        begun = [stretch.timeline for stretch in undone if stretch.at <= moment]
        return before[-1], str(begun[-1]) if begun and begun[-1] is not None else "current"


def _make_durable(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def size_bytes(folder: Path) -> int:
    """Return how many bytes the files of a folder have."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def kept(backups: Sequence[Backup], count: int) -> tuple[Sequence[Backup], Sequence[Backup]]:
    """Return the newest `count` backups, and the others."""
    return backups[-count:], backups[:-count]
