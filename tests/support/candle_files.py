"""Files of candles for tests: rows of text, and where to put them."""

import gzip
import zipfile
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from domain.model.markets import Timeframe
from infra.candle_files.columns import ColumnChoice, TradedPair
from infra.candle_files.errors import MalformedRows
from infra.candle_files.formats import FileFormat, FileOptions
from infra.candle_files.inspection import FileSummary, ReadOptions, inspect_file
from infra.cli.arguments import parse_columns

BTC = TradedPair("BTC", "USDT")
HEADER = "open_time,open,high,low,close,volume"
START = datetime(2024, 1, 31, 23, 55, tzinfo=UTC)
NOW = datetime(2026, 11, 5, 12, 0, 30, tzinfo=UTC)


def row(minute: int, *, at: str | None = None, close: str = "42001.5", volume: str = "0.50") -> str:
    """Return the line of the candle that opens so many minutes after `START`."""
    opened = at or (START + timedelta(minutes=minute)).isoformat()
    return f"{opened},42000.10,42002,41999.99,{close},{volume}"


def csv(folder: Path, lines: Iterable[str], name: str = "candles.csv", header: str | None = HEADER) -> Path:
    """Write a CSV; gzipped or into an archive where the name says so."""
    text = "".join(f"{line}\n" for line in ([header] if header else []) + list(lines)).encode()
    path = folder / name
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text))
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(path.with_suffix(".csv").name, text)
    else:
        path.write_bytes(text)
    return path


def read_options(
    path: Path,
    timeframe: Timeframe | None = None,
    zone: str = "UTC",
    format: FileFormat = FileFormat.AUTO,
    block_bytes: int = 1024,
    columns: str | None = None,
) -> ReadOptions:
    """Return options that read a file in small blocks, so that a few rows are several of them."""
    choice = ColumnChoice() if columns is None else parse_columns(columns)
    return ReadOptions(path, FileOptions(format, ZoneInfo(zone), choice, BTC), timeframe, NOW, block_bytes)


def inspected(
    path: Path, timeframe: Timeframe | None = None, zone: str = "UTC", columns: str | None = None
) -> FileSummary:
    """Return the summary of a file."""
    return inspect_file(read_options(path, timeframe, zone, columns=columns), lambda _: None)


def errors(path: Path, timeframe: Timeframe | None = Timeframe.M1, zone: str = "UTC") -> list[str]:
    """Return the error messages of a file's malformed rows."""
    try:
        inspected(path, timeframe, zone)
    except MalformedRows as malformed:
        return [str(error) for error in malformed.errors]
    return []
