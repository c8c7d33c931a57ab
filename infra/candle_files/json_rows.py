"""Reads candles in JSON, as freqtrade and venues write them (arrays or objects), as lines of a CSV."""

import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from infra.candle_files.errors import UnusableFileError
from infra.candle_files.line_reader import GZIP, Block, read_prefix, translate_read_errors

MOST_BYTES = 2 * 1024**3
_SEPARATOR = ","
# Numbers keep the digits that the file has.
_decoder = msgspec.json.Decoder(list[Any], float_hook=str)


def is_json(path: Path) -> bool:
    """Return whether a file, plain or gzipped, begins like JSON."""
    is_gzipped = read_prefix(path, 2) == GZIP
    with translate_read_errors(path):
        if not is_gzipped:
            return read_prefix(path, 64).lstrip()[:1] in {b"[", b"{"}
        with gzip.open(path) as file:
            return file.read(64).lstrip()[:1] in {b"[", b"{"}


def read_json_blocks(path: Path) -> Iterator[Block]:
    """Yield the rows as lines, of objects after one with their names; raises `UnusableFileError`."""
    with translate_read_errors(path), gzip.open(path) if read_prefix(path, 2) == GZIP else path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise UnusableFileError(path, "JSON of more than 2 GiB; write it as CSV, Parquet or Feather")
    try:
        rows = _decoder.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UnusableFileError(path, f"it can't be read as an array of candles in JSON ({error})") from None
    if not rows:
        raise UnusableFileError(path, "there are no rows of candles in it")
    lines, first = _to_lines(path, rows)
    yield Block(
        path.name, "".join(f"{line}\n" for line in lines).encode(), np.arange(first, first + len(lines), dtype=np.int64)
    )


def _to_lines(path: Path, rows: Sequence[Any]) -> tuple[list[str], int]:
    """Return the lines, and the number of the first; rows are numbered from 1, so a header line has 0."""
    if isinstance(rows[0], dict):
        names = list(rows[0])
        values = [
            [_to_text(row.get(name)) for name in names] if isinstance(row, dict) else [_to_text(row)] for row in rows
        ]
        return [_SEPARATOR.join(_to_text(name) for name in names), *map(_SEPARATOR.join, values)], 0
    if isinstance(rows[0], list):
        return [_SEPARATOR.join(map(_to_text, row)) if isinstance(row, list) else _to_text(row) for row in rows], 1
    raise UnusableFileError(path, "its array holds neither arrays nor objects, one for each candle")


def _to_text(value: object) -> str:
    return "" if value is None else str(value).replace("\n", " ")
