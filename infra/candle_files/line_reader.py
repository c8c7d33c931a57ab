"""Reads a text file (plain, gzipped, or in a zip archive) as blocks of whole lines with their numbers."""

import gzip
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from infra.candle_files.errors import RowLocation, UnusableFileError

BLOCK_BYTES = 4 * 1024 * 1024
LONGEST_LINE_BYTES = 64 * 1024
_NEWLINE = 0x0A
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_BROKEN = (
    EOFError,
    OSError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    NotImplementedError,  # a method of compression that Python has not
    RuntimeError,  # an archive behind a password
)

Numbers: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive lines of one text file.

    `data` is UTF-8 without blank lines, each line ended by one line feed; `line_numbers` are their numbers in the file.
    """

    source: str
    data: bytes
    line_numbers: Numbers

    def line(self, index: int) -> str:
        """Return a line by its index in the block."""
        return self.data.split(b"\n")[index].decode()

    def separator_counts(self, separator: bytes) -> Numbers:
        """Return the number of separators in each line."""
        raw = np.frombuffer(self.data, np.uint8)
        ends = np.flatnonzero(raw == _NEWLINE)
        found = np.flatnonzero(raw == separator[0])
        return np.diff(np.searchsorted(found, ends), prepend=0)


def read_blocks(path: Path, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
    """Yield all lines of a file, for an archive those of its members one after the other.

    Raises `UnusableFileError` for what is broken, isn't UTF-8, or holds no text of lines.
    """
    with translate_read_errors(path):
        for source, text in _open_texts(path):
            with text:
                yield from _read_lines(source, text, block_bytes)


def read_prefix(path: Path, count: int) -> bytes:
    """Return the first bytes of a file; raises `UnusableFileError` if it can't be read."""
    with translate_read_errors(path), path.open("rb") as file:
        return file.read(count)


@contextmanager
def translate_read_errors(path: Path) -> Iterator[None]:
    """Turn errors of reading and decompressing into `UnusableFileError`."""
    try:
        yield
    except _BROKEN as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UnusableFileError(path, f"it can't be read to its end ({reason}); fetch or write it again") from None


def _open_texts(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    start = read_prefix(path, 4)
    if start.startswith(_ZIP):
        yield from _members(path)
    elif start.startswith(GZIP):
        yield path.name, cast("IO[bytes]", gzip.open(path))  # noqa: SIM115  # closed by the caller
    else:
        yield path.name, path.open("rb")


def _members(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(path) as archive:
        names = [member.filename for member in archive.infolist() if _is_text(member)]
        if not names:
            raise UnusableFileError(path, "there is no .csv file in this archive")
        for name in names:
            yield f"{path.name}/{name}", archive.open(name)


def _is_text(member: zipfile.ZipInfo) -> bool:
    name = Path(member.filename)
    hidden = member.filename.startswith("__MACOSX/") or name.name.startswith(".")
    return not member.is_dir() and not hidden and name.suffix.lower() in {".csv", ".txt"}


def _read_lines(source: str, text: IO[bytes], block_bytes: int) -> Iterator[Block]:
    number, rest = 1, b""
    first = True
    while read := text.read(block_bytes):
        if first:
            read, first = _strip_byte_order_mark(source, read), False
        whole, feed, rest = (rest + read).rpartition(b"\n")
        if len(rest) > LONGEST_LINE_BYTES:
            raise UnusableFileError(
                source, f"a line of more than {LONGEST_LINE_BYTES // 1024} KiB; this is no CSV of candles"
            )
        if feed:
            block, number = _make_block(source, whole + feed, number)
            yield from [block] if len(block.line_numbers) else []
    if rest.strip():
        block, _ = _make_block(source, rest + b"\n", number)
        yield from [block] if len(block.line_numbers) else []


def _strip_byte_order_mark(source: str, start: bytes) -> bytes:
    if start.startswith(_UTF16_MARKS):
        raise UnusableFileError(source, "it is written in UTF-16; save it as UTF-8")
    return start.removeprefix(_BYTE_ORDER_MARK)


def _make_block(source: str, data: bytes, number: int) -> tuple[Block, int]:
    """Return a block of whole lines, the first of which is `number`, and the number of the line after it."""
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
    if b'"' in data:
        # No field of a candle holds a separator, so quotes can go; a field that does makes one column too many.
        data = data.replace(b'"', b"")
    count = data.count(b"\n")
    _check_encoding(source, data, number)
    line_numbers = np.arange(number, number + count, dtype=np.int64)
    if b"\n\n" in data or data.startswith(b"\n"):
        lines = data.split(b"\n")[:-1]
        kept = [index for index, line in enumerate(lines) if line.strip()]
        data = b"".join(lines[index] + b"\n" for index in kept)
        line_numbers = line_numbers[kept]
    return Block(source, data, line_numbers), number + count


def _check_encoding(source: str, data: bytes, number: int) -> None:
    if data.isascii():
        return
    try:
        data.decode()
    except UnicodeDecodeError as error:
        location = RowLocation(source, number + data.count(b"\n", 0, error.start))
        raise UnusableFileError(
            str(location), f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        ) from None
