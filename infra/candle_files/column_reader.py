"""Reads CSV, JSON, Parquet and Feather files of candles as batches of text columns."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from infra.candle_files.columns import FIELDS, PRICES, clock_column, columns_by_name, normalise_name
from infra.candle_files.errors import RowError, RowLocation, UnusableFileError
from infra.candle_files.formats import FileOptions, Layout, detect_layout
from infra.candle_files.json_rows import is_json, read_json_blocks
from infra.candle_files.line_reader import BLOCK_BYTES, Block, Numbers, read_blocks, read_prefix
from infra.candle_files.numerals import BLANK, is_blank, with_point
from infra.candle_files.timestamps import TimestampKind, describe_clock_change, microseconds, typed_microseconds

TYPED_ROWS = 131_072
MOST_HEADER_BYTES = 200_000
SAMPLED_LINES = 60
_PARQUET, _FEATHER, _OLD_FEATHER = b"PAR1", b"ARROW1", b"FEA1"
_NUMBERS = FIELDS[1:]
_TYPED_NUMBERS = frozenset(_NUMBERS)


@dataclass(frozen=True, slots=True)
class Table:
    """A batch of a file's rows: `at` (microseconds since 1970, null if unreadable), `time`, and the numbers as text.

    `line_numbers` are the line numbers of the rows. `errors` are lines with another number of columns, which aren't
    among the rows. `blank` counts the rows without any price (nothing was traded), which are left out too.
    `explain_time` returns the error message for a time that can't be read.
    """

    source: str
    rows: pl.DataFrame
    line_numbers: Numbers
    format: str
    explain_time: Callable[[str], str]
    errors: tuple[RowError, ...] = ()
    unit: str = "line"
    blank: int = 0

    def location_of(self, index: int) -> RowLocation:
        """Return the location of a row in the file."""
        return RowLocation(self.source, int(self.line_numbers[index]), self.unit)


def read_tables(path: Path, options: FileOptions, block_bytes: int = BLOCK_BYTES) -> Iterator[Table]:
    """Yield all rows of a CSV (also zipped), JSON, Parquet or Feather file; raises `UnusableFileError`."""
    if path.is_dir():
        raise UnusableFileError(path, "it is a folder; name the files in it, as in folder/*.csv")
    if not path.exists():
        raise UnusableFileError(path, "there is no such file")
    start = read_prefix(path, len(_FEATHER))
    if not start:
        raise UnusableFileError(path, "it is empty")
    if start.startswith(_OLD_FEATHER):
        raise UnusableFileError(path, "it is Feather of version 1, which nobody writes any more; write it as version 2")
    if start.startswith(_PARQUET):
        batches = _read_typed(path, options, pl.scan_parquet, "parquet")
    elif start == _FEATHER:
        batches = _read_typed(path, options, pl.scan_ipc, "feather")
    else:
        batches = _read_text(path, options, block_bytes)
    empty = True
    for table in batches:
        empty = empty and not (table.rows.height or table.errors or table.blank)
        yield table
    if empty:
        raise UnusableFileError(path, "there are no rows of candles in it")


def _read_text(path: Path, options: FileOptions, block_bytes: int) -> Iterator[Table]:
    source, layout = "", None
    unit = "row" if is_json(path) else "line"
    for block in read_json_blocks(path) if is_json(path) else read_blocks(path, block_bytes):
        is_new_source = layout is None or block.source != source
        if is_new_source:
            source = block.source
            layout = detect_layout(source, _first_lines(block), options, partial(_all_lines, block))
        assert layout is not None
        table = _parse_block(_skip_lines(block, layout.skipped) if is_new_source else block, layout)
        yield replace(table, unit=unit)


def _first_lines(block: Block) -> list[str]:
    start = block.data[:MOST_HEADER_BYTES].decode(errors="replace")
    lines = start.removesuffix("\n").split("\n")[: SAMPLED_LINES + 1]
    whole = lines[:-1] if len(lines) > SAMPLED_LINES or len(block.data) > MOST_HEADER_BYTES else lines
    return whole or lines


def _all_lines(block: Block) -> list[str]:
    return block.data.decode().removesuffix("\n").split("\n")


def _skip_lines(block: Block, count: int) -> Block:
    data = block.data
    for _ in range(count):
        data = data[data.index(b"\n") + 1 :]
    return Block(block.source, data, block.line_numbers[count:])


def _parse_block(block: Block, layout: Layout) -> Table:
    column_counts = block.separator_counts(layout.separator) + 1
    matches = column_counts == layout.columns
    if matches.all():
        return _parse_lines(block, layout, ())
    mismatched = np.flatnonzero(~matches)
    errors = tuple(
        RowError(
            RowLocation(block.source, int(line_number)),
            f"it has {count} column{'s' if count != 1 else ''} where the file has {layout.columns}",
        )
        for line_number, count in zip(block.line_numbers[mismatched], column_counts[mismatched], strict=True)
    )
    lines = block.data.split(b"\n")
    kept = b"".join(lines[index] + b"\n" for index in np.flatnonzero(matches))
    return _parse_lines(Block(block.source, kept, block.line_numbers[matches]), layout, errors)


def _parse_lines(block: Block, layout: Layout, errors: tuple[RowError, ...]) -> Table:
    read = _read_fields(block.data, layout) if block.data else pl.DataFrame(schema=dict.fromkeys(FIELDS, pl.String))
    rows = read.with_columns(microseconds(pl.col("time"), layout.time).alias("at"))
    assert rows.height == len(block.line_numbers), "each line is a row"
    table = Table(block.source, rows, block.line_numbers, layout.format.value, layout.time.explain, errors)
    return _drop_blank_rows(table)


def _read_fields(data: bytes, layout: Layout) -> pl.DataFrame:
    names = [f"column_{number}" for number in range(layout.columns)]
    positions = layout.positions
    read = pl.read_csv(
        data,
        has_header=False,
        separator=layout.separator.decode(),
        quote_char=None,
        schema=dict.fromkeys(names, pl.String),
        columns=sorted({*positions.time, *(index for index in positions.numbers if index is not None)}),
    ).with_columns(pl.all().fill_null(""))
    if b" " in data:
        read = read.with_columns(pl.all().str.strip_chars())
    numbers = [pl.lit("0") if index is None else pl.col(names[index]) for index in positions.numbers]
    if layout.decimal_comma:
        numbers = [with_point(number) for number in numbers]
    time, *clock = [pl.col(names[index]) for index in positions.time]
    joined = pl.concat_str(time, *clock, separator=" ") if clock else time
    named = [number.alias(field) for number, field in zip(numbers, _NUMBERS, strict=True)]
    return read.select(joined.alias("time"), *named)


def _drop_blank_rows(table: Table) -> Table:
    """Drop rows without any price: some files have one for each minute without a trade."""
    if not table.rows.height or not table.rows["open"].is_in(BLANK).any():
        return table
    blank = table.rows.select(is_blank(PRICES, "volume")).to_series()
    rows, line_numbers = table.rows.filter(~blank), table.line_numbers[~blank.to_numpy()]
    return replace(table, rows=rows, line_numbers=line_numbers, blank=int(blank.sum()))


def _read_typed(path: Path, options: FileOptions, scan: Callable[[Path], pl.LazyFrame], kind: str) -> Iterator[Table]:
    """Yield the rows of a file with typed columns, one of which may be pandas' index."""
    try:
        frame = scan(path)
        schema = frame.collect_schema()
        known = schema.names()
        positions = columns_by_name(path.name, known, options.columns, options.traded)
        names = [
            known[index] for index in (*positions.time, *(index for index in positions.numbers if index is not None))
        ]
        _check_types(path, positions.time, known, schema)
        height = frame.select(pl.len()).collect().item()
        for begin in range(0, height, TYPED_ROWS):
            part = frame.select(names).slice(begin, TYPED_ROWS).collect()
            yield _drop_blank_rows(_from_typed(path, part, kind, options.zone, begin))
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).partition("\n")[0][:200]
        raise UnusableFileError(
            path, f"it can't be read as {kind.title()} ({reason}); fetch or write it again"
        ) from None


def _check_types(path: Path, time: Sequence[int], names: Sequence[str], schema: pl.Schema) -> None:
    if len(time) > 1:
        raise UnusableFileError(path, "its time is to be one column; only text has day and hour apart")
    name, kind = names[time[0]], schema[names[time[0]]]
    if not (kind.is_integer() or kind == pl.Date or isinstance(kind, pl.Datetime)):
        raise UnusableFileError(path, f"its column {name} is {kind}; it may be a timestamp, a date or whole numbers")
    clock = clock_column(names, time[0]) if kind == pl.Date else None
    if clock is not None:
        raise UnusableFileError(
            path, f"its column {name} is a day, and {names[clock]} its hour it seems; write both as one"
        )
    for name, kind in schema.items():
        if normalise_name(name) in _TYPED_NUMBERS and not (kind.is_numeric() or kind == pl.String):
            raise UnusableFileError(path, f"its column {name} is {kind}; it may be numbers or text of numbers")


def _from_typed(path: Path, part: pl.DataFrame, form: str, zone: ZoneInfo, begin: int) -> Table:
    time = part.columns[0]
    volume = {} if len(part.columns) > len(_NUMBERS) else {"volume": pl.lit("0")}
    rows = part.select(
        typed_microseconds(pl.col(time), part.schema[time], zone).alias("at"),
        pl.col(time).cast(pl.String).fill_null("").alias("time"),
        # Floats as the shortest text that reads back as the same float: what was meant when they were written.
        *(
            pl.col(name).cast(pl.String).fill_null("").alias(field)
            for name, field in zip(part.columns[1:], _NUMBERS, strict=False)
        ),
        **volume,
    )
    line_numbers = np.arange(begin + 1, begin + 1 + part.height, dtype=np.int64)
    return Table(path.name, rows, line_numbers, form, partial(_explain_typed, zone), unit="row")


def _explain_typed(zone: ZoneInfo, text: str) -> str:
    try:
        change = describe_clock_change(datetime.fromisoformat(text), zone)
    except ValueError:
        change = None
    return f"{text[:60]!r} {change or f'is no time: {TimestampKind.EPOCH.value}'}"
