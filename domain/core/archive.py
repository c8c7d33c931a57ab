"""A zip archive that is written in pieces, so that it is never whole in memory."""

from collections.abc import Iterable
from datetime import datetime
from typing import IO, cast
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo


class _Pieces:
    """Takes what the archive writes; it can't be read or sought in, which a zip file can do without."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> int:
        """Append data."""
        self.data += data
        return len(data)

    def flush(self) -> None:
        """Do nothing: it is in memory."""


class Archive:
    """Files of lines, one after the other; `take` returns what has been written since it was last called."""

    def __init__(self, at: datetime) -> None:
        self._pieces = _Pieces()
        self._zip = ZipFile(cast("IO[bytes]", self._pieces), "w", ZIP_DEFLATED)
        self._at = at
        self._file: IO[bytes] | None = None

    @property
    def pending_bytes(self) -> int:
        """How much `take` would return."""
        return len(self._pieces.data)

    def begin(self, name: str, *, compress: bool = True) -> None:
        """Begin a file; the one before ends. What is compressed already is stored as it is."""
        self._end_file()
        entry = ZipInfo(name, self._at.timetuple()[:6])
        entry.compress_type = ZIP_DEFLATED if compress else ZIP_STORED
        self._file = self._zip.open(entry, "w", force_zip64=True)

    def write(self, lines: Iterable[str]) -> None:
        """Write lines into the present file."""
        self.write_bytes("".join(f"{line}\n" for line in lines).encode())

    def write_bytes(self, data: bytes) -> None:
        """Write bytes into the present file."""
        assert self._file is not None
        self._file.write(data)

    def close(self) -> None:
        """Write the end of the archive."""
        self._end_file()
        self._zip.close()

    def take(self) -> bytes:
        """Return what has been written, and forget it."""
        data = bytes(self._pieces.data)
        self._pieces.data.clear()
        return data

    def _end_file(self) -> None:
        if self._file is not None:
            self._file.close()
