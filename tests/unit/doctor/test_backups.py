"""What the doctor says about backups."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import SecretStr

from infra.backup.folder import Backup, BackupFolder
from infra.clock import SystemClock
from infra.doctor.backups import check_backups
from infra.runtime.data_dir import DataDir
from infra.settings import Settings


def _statuses(settings: Settings) -> dict[str, str]:
    return {finding.check: finding.status.value for finding in check_backups(settings, SystemClock())}


def _backed_up(folder: Path, ago: timedelta) -> None:
    backups, at = BackupFolder(folder), datetime.now(UTC) - ago
    backups.complete(backups.begin("b"), Backup("b", at, at, "000000010000000000000002", 1, "0.2.0"))


def _copied(folder: Path, ago: timedelta) -> None:
    segment = folder / "wal" / "000000010000000000000002.gz"
    segment.parent.mkdir(exist_ok=True)
    segment.write_bytes(b"")
    at = (datetime.now(UTC) - ago).timestamp()
    os.utime(segment, (at, at))


def test_without_backups_or_with_a_database_of_ones_own_nothing_is_checked(tmp_path: Path) -> None:
    own = Settings(database_url=SecretStr("postgresql://localhost/r3edge"), backups=str(tmp_path))
    assert _statuses(own) == _statuses(Settings()) == {"backups.newest": "SKIPPED"}


def test_backups_are_young_and_the_log_is_copied(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", backups=str(tmp_path))
    assert _statuses(settings) == {"backups.newest": "WARNING", "backups.log": "SKIPPED"}
    held = DataDir.hold(settings.data_dir)
    try:
        _backed_up(tmp_path, timedelta(hours=1))
        assert _statuses(settings) == {"backups.newest": "OK", "backups.log": "WARNING"}
        _copied(tmp_path, timedelta(minutes=1))
        assert _statuses(settings) == {"backups.newest": "OK", "backups.log": "OK"}
        _copied(tmp_path, timedelta(hours=1))
        assert _statuses(settings) == {"backups.newest": "OK", "backups.log": "ERROR"}
    finally:
        held.release()


def test_an_old_backup_is_a_warning(tmp_path: Path) -> None:
    _backed_up(tmp_path, timedelta(days=3))
    assert _statuses(Settings(data_dir=tmp_path / "data", backups=str(tmp_path)))["backups.newest"] == "WARNING"
