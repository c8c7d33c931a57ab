"""The write-ahead log that the embedded PostgreSQL copies into the folder of backups, segment by segment."""

import gzip
import shlex
import zlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

from infra.postgres.server.server_user import ServerUser, make_reachable, own

SEGMENT_BYTES: Final = 16 * 1024 * 1024
ARCHIVE_SECONDS: Final = 60
"""A segment is copied after so long at the latest: what a lost disk may cost."""
SUFFIX: Final = ".gz"
_NAME_DIGITS = 24
_TIMELINE_DIGITS = 8
_SEGMENTS_PER_LOG = 2**32 // SEGMENT_BYTES


def prepare_wal_folder(folder: Path, user: ServerUser | None) -> None:
    """Make the folder that the server's user writes to; raises `OSError` and `ServerFilesUnreachable`."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if user is not None:
        own(folder, user)
        make_reachable(folder, user)


def archive_settings(folder: Path) -> Mapping[str, str]:
    """Return the settings by which the server copies each segment there; one that is there must be the same."""
    place = _quoted(folder)
    write = f"gzip -1 < %p > {place}/%f.new && sync {place}/%f.new"
    copy = f"{write} && mv {place}/%f.new {place}/%f{SUFFIX} && sync {place}"
    compare = f"gzip -dc {place}/%f{SUFFIX} | cmp -s - %p"
    return {
        "archive_mode": "on",
        "archive_command": f"if test -f {place}/%f{SUFFIX}; then {compare}; else {copy}; fi",
        "archive_timeout": f"{ARCHIVE_SECONDS}s",
    }


def restore_command(folder: Path, lost: Path | None) -> str:
    """Return the command that brings a segment back; `lost` is a data folder that may have younger ones.

    PostgreSQL takes a failure for the end of the log and goes on without the rest, unless the code is over 125. So a
    folder that isn't there, or a segment that can't be read, ends the recovery.
    """
    place = _quoted(folder)
    file = f"{place}/%f{SUFFIX}"
    younger = "false" if lost is None else f"cp {_quoted(lost)}/pg_wal/%f %p"
    return f"test -d {place} || exit 255; if test -f {file}; then gzip -dc {file} > %p || exit 255; else {younger}; fi"


def segment_name(timeline: int, lsn: str) -> str:
    """Return the name of the segment that holds a position such as `0/2000028`."""
    high, _, low = lsn.partition("/")
    return f"{timeline:08X}{int(high, 16):08X}{int(low, 16) // SEGMENT_BYTES:08X}"


def wal_errors(folder: Path, firsts: Sequence[str]) -> list[str]:
    """Return what is wrong with the segments that backups need: those that are missing, and those that can't be read.

    `firsts` are those with which the backups begin; the last may not have been copied yet.
    """
    names = sorted(path.name.removesuffix(SUFFIX) for path in folder.glob(f"*{SUFFIX}"))
    begin = min(_place(first) for first in firsts)
    segments = [name for name in names if len(name) == _NAME_DIGITS and _place(name) >= begin]
    errors = [f"the segment {first} is missing: with it begins a backup" for first in firsts if _lacks(segments, first)]
    for before, after in pairwise(segments):
        if before[:_TIMELINE_DIGITS] == after[:_TIMELINE_DIGITS] and _number(after) != _number(before) + 1:
            errors.append(f"segments are missing between {before} and {after}")
    return errors + [error for name in segments if (error := _read_error(folder / f"{name}{SUFFIX}")) is not None]


def remove_before(folder: Path, firsts: Sequence[str]) -> int:
    """Delete the segments that come before all those with which kept backups begin; return how many.

    Their places count, not the names: after a restore to an earlier moment, younger backups can begin further back.
    """
    begin = min(_place(first) for first in firsts)
    old = [path for path in folder.glob(f"*{SUFFIX}") if len(path.stem) >= _NAME_DIGITS and _place(path.name) < begin]
    for path in old:
        path.unlink()
    return len(old)


def newest_segment(folder: Path) -> Path | None:
    """Return the file that was written last; None if there is none."""
    return max(folder.glob(f"*{SUFFIX}"), key=lambda path: path.stat().st_mtime, default=None)


def _lacks(segments: Sequence[str], first: str) -> bool:
    """Return whether a segment is missing that was copied: later ones of its timeline were, or it is the only one."""
    timeline = first[:_TIMELINE_DIGITS]
    return first not in segments and (not segments or any(name > first for name in segments if name[:8] == timeline))


def _place(name: str) -> str:
    """Return where in the log a segment is, whatever its timeline."""
    return name[_TIMELINE_DIGITS:_NAME_DIGITS]


def _number(name: str) -> int:
    return int(name[8:16], 16) * _SEGMENTS_PER_LOG + int(name[16:24], 16)


def _read_error(path: Path) -> str | None:
    size = 0
    try:
        with gzip.open(path) as file:
            while piece := file.read(1024 * 1024):
                size += len(piece)
    except (OSError, EOFError, zlib.error) as error:
        return f"{path.name} can't be read: {error}"
    return None if size == SEGMENT_BYTES else f"{path.name} has {size} bytes and must have {SEGMENT_BYTES}"


def _quoted(folder: Path) -> str:
    """Return the path for a shell, in a setting of PostgreSQL where `%` begins a placeholder."""
    return shlex.quote(str(folder)).replace("%", "%%")
