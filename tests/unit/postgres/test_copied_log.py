"""The folder of the copied write-ahead log: what is deleted, what is missing, and how segments are brought back."""

import gzip
import subprocess
from pathlib import Path

import pytest

from infra.backup.wal import SEGMENT_BYTES, remove_before, restore_command, wal_errors

SCRIPTS = Path(__file__).parents[3] / "deploy" / "postgres"
ZEROS = gzip.compress(bytes(SEGMENT_BYTES), 1)
NO_MORE_LOG = 1
"""PostgreSQL takes the log to be at its end; a code over 125 ends the recovery instead (`RestoreArchivedFile`)."""
MOST_FOR_NO_MORE_LOG = 125


def _copied(folder: Path, *segments: tuple[int, int]) -> None:
    for timeline, number in segments:
        (folder / f"{_name(timeline, number)}.gz").write_bytes(ZEROS)


def _name(timeline: int, number: int) -> str:
    return f"{timeline:08X}{0:08X}{number:08X}"


def _there(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.gz"))


def test_the_log_of_a_backup_is_kept_that_a_restore_has_put_further_back_than_an_older_one(tmp_path: Path) -> None:
    # Restored to 0x12 of timeline 1, after the backup at 0x50: the next backup is younger and begins at 0x15.
    _copied(tmp_path, (1, 0x10), (1, 0x50), (1, 0x51), (2, 0x15), (2, 0x16))
    kept = [_name(1, 0x50), _name(2, 0x15)]
    assert remove_before(tmp_path, kept) == 1
    assert _there(tmp_path) == [_name(1, 0x50), _name(1, 0x51), _name(2, 0x15), _name(2, 0x16)]
    assert wal_errors(tmp_path, kept) == []


def test_a_segment_that_a_younger_backup_begins_with_is_missed(tmp_path: Path) -> None:
    _copied(tmp_path, (1, 0x50), (2, 0x16))
    assert wal_errors(tmp_path, [_name(1, 0x50), _name(2, 0x15)]) == [
        f"the segment {_name(2, 0x15)} is missing: with it begins a backup"
    ]
    assert wal_errors(tmp_path, [_name(1, 0x50), _name(2, 0x17)]) == []  # it was not copied yet


def _brought_back(command: str, name: str, to: Path) -> int:
    return subprocess.run(["sh", "-c", command.replace("%f", name).replace("%p", str(to))], check=False).returncode


@pytest.fixture(params=["embedded", "script"])
def bring_back(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The command for the log in `wal`, of the embedded server and of the script for others."""
    folder = tmp_path / "wal"
    return (
        restore_command(folder, None)
        if request.param == "embedded"
        else f"R3EDGE_WAL={folder} {SCRIPTS / 'restore-wal'} %f %p"
    )


def test_the_end_of_the_log_is_another_answer_than_log_that_cannot_be_read(bring_back: str, tmp_path: Path) -> None:
    wal, target = tmp_path / "wal", tmp_path / "segment"
    assert _brought_back(bring_back, _name(1, 1), target) > MOST_FOR_NO_MORE_LOG  # nothing is mounted there
    wal.mkdir()
    _copied(wal, (1, 1), (1, 2))
    damaged = wal / f"{_name(1, 2)}.gz"
    damaged.write_bytes(damaged.read_bytes()[:-9])
    assert _brought_back(bring_back, _name(1, 1), target) == 0
    assert target.read_bytes() == bytes(SEGMENT_BYTES)
    assert _brought_back(bring_back, _name(1, 2), target) > MOST_FOR_NO_MORE_LOG
    assert _brought_back(bring_back, _name(1, 3), target) == NO_MORE_LOG


def test_what_was_not_copied_is_brought_back_from_the_lost_database(tmp_path: Path) -> None:
    wal, lost, target = tmp_path / "wal", tmp_path / "lost", tmp_path / "segment"
    wal.mkdir()
    (lost / "pg_wal").mkdir(parents=True)
    (lost / "pg_wal" / _name(1, 3)).write_bytes(b"youngest")
    command = restore_command(wal, lost)
    assert _brought_back(command, _name(1, 3), target) == 0
    assert target.read_bytes() == b"youngest"
    assert _brought_back(command, _name(1, 4), target) == NO_MORE_LOG
