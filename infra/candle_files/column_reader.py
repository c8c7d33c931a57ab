"""The rows of a file of candles as tables of text, batch by batch, whatever the file is."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from infra.candle_files.columns import FIELDS, PRICES, clock_column, named_columns, normal
from infra.candle_files.errors import Place, RowError, UnusableFileError
from infra.candle_files.formats import FileOptions, Layout, recognise
from infra.candle_files.json_rows import is_json, json_blocks
from infra.candle_files.line_reader import BLOCK_BYTES, Block, Numbers, blocks, starts_with
from infra.candle_files.numerals import BLANK, is_blank, with_point
from infra.candle_files.timestamps import Writing, clock_change, microseconds, typed_microseconds

TYPED_ROWS = 131_072
MOST_HEADER_BYTES = 200_000
SAMPLED_LINES = 60
_PARQUET, _FEATHER, _OLD_FEATHER = b"PAR1", b"ARROW1", b"FEA1"
_NUMBERS = FIELDS[1:]
_TYPED_NUMBERS = frozenset(_NUMBERS)


@dataclass(frozen=True, slots=True)
class Table:
    """Some rows of a file: `at` (microseconds since 1970, null where unreadable), `time`, and the numbers as text.

    `numbers` are those of the rows' lines; `problems` are lines that have no such columns and are no rows; `blank` is
    how many rows have no prices at all, since nothing was traded, and are left out. `explain_time` says what is wrong
    with a time that can't be read.
    """

    source: str
    rows: pl.DataFrame
    numbers: Numbers
    format: str
    explain_time: Callable[[str], str]
    problems: tuple[RowError, ...] = ()
    unit: str = "line"
    blank: int = 0

    def place(self, index: int) -> Place:
        """Return where a row stands in the file."""
        return Place(self.source, int(self.numbers[index]), self.unit)


def tables(path: Path, options: FileOptions, block_bytes: int = BLOCK_BYTES) -> Iterator[Table]:
    """Yield all rows of a CSV (also zipped), JSON, Parquet or Feather file; raises `UnusableFileError`."""
    if path.is_dir():
        raise UnusableFileError(path, "it is a folder; name the files in it, as in folder/*.csv")
    if not path.exists():
        raise UnusableFileError(path, "there is no such file")
    start = starts_with(path, len(_FEATHER))
    if not start:
        raise UnusableFileError(path, "it is empty")
    if start.startswith(_OLD_FEATHER):
        raise UnusableFileError(path, "it is Feather of version 1, which nobody writes any more; write it as version 2")
    if start.startswith(_PARQUET):
        found = _typed(path, options, pl.scan_parquet, "parquet")
    elif start == _FEATHER:
        found = _typed(path, options, pl.scan_ipc, "feather")
    else:
        found = _texts(path, options, block_bytes)
    empty = True
    for table in found:
        empty = empty and not (table.rows.height or table.problems or table.blank)
        yield table
    if empty:
        raise UnusableFileError(path, "there are no rows of candles in it")


def _texts(path: Path, options: FileOptions, block_bytes: int) -> Iterator[Table]:
    source, layout = "", None
    unit = "row" if is_json(path) else "line"
    for block in json_blocks(path) if is_json(path) else blocks(path, block_bytes):
        begins = layout is None or block.source != source
        if begins:
            source = block.source
            layout = recognise(source, _first_lines(block), options, partial(_all_lines, block))
        assert layout is not None
        table = _table(_without_first(block, layout.skipped) if begins else block, layout)
        yield replace(table, unit=unit)


def _first_lines(block: Block) -> list[str]:
    start = block.data[:MOST_HEADER_BYTES].decode(errors="replace")
    lines = start.removesuffix("\n").split("\n")[: SAMPLED_LINES + 1]
    whole = lines[:-1] if len(lines) > SAMPLED_LINES or len(block.data) > MOST_HEADER_BYTES else lines
    return whole or lines


def _all_lines(block: Block) -> list[str]:
    return block.data.decode().removesuffix("\n").split("\n")


def _without_first(block: Block, count: int) -> Block:
    data = block.data
    for _ in range(count):
        data = data[data.index(b"\n") + 1 :]
    return Block(block.source, data, block.numbers[count:])


def _table(block: Block, layout: Layout) -> Table:
    has = block.separators(layout.separator) + 1
    fits = has == layout.columns
    if fits.all():
        return _read(block, layout, ())
    wrong = np.flatnonzero(~fits)
    problems = tuple(
        RowError(
            Place(block.source, int(block.numbers[index])),
            f"it has {has[index]} column{'s' if has[index] != 1 else ''} where the file has {layout.columns}",
        )
        for index in wrong
    )
    lines = block.data.split(b"\n")
    kept = b"".join(lines[index] + b"\n" for index in np.flatnonzero(fits))
    return _read(Block(block.source, kept, block.numbers[fits]), layout, problems)


def _read(block: Block, layout: Layout, problems: tuple[RowError, ...]) -> Table:
    read = _fields(block.data, layout) if block.data else pl.DataFrame(schema=dict.fromkeys(FIELDS, pl.String))
    rows = read.with_columns(microseconds(pl.col("time"), layout.time).alias("at"))
    assert rows.height == len(block.numbers), "each line is a row"
    found = Table(block.source, rows, block.numbers, layout.format.value, layout.time.explain, problems)
    return _without_blank(found)


def _fields(data: bytes, layout: Layout) -> pl.DataFrame:
    names = [f"column_{number}" for number in range(layout.columns)]
    places = layout.places
    read = pl.read_csv(
        data,
        has_header=False,
        separator=layout.separator.decode(),
        quote_char=None,
        schema=dict.fromkeys(names, pl.String),
        columns=sorted({*places.time, *(place for place in places.numbers if place is not None)}),
    ).with_columns(pl.all().fill_null(""))
    if b" " in data:
        read = read.with_columns(pl.all().str.strip_chars())
    numbers = [pl.lit("0") if place is None else pl.col(names[place]) for place in places.numbers]
    if layout.decimal_comma:
        numbers = [with_point(number) for number in numbers]
    time, *clock = [pl.col(names[place]) for place in places.time]
    joined = pl.concat_str(time, *clock, separator=" ") if clock else time
    named = [number.alias(field) for number, field in zip(numbers, _NUMBERS, strict=True)]
    return read.select(joined.alias("time"), *named)


def _without_blank(table: Table) -> Table:
    """Leave out rows without any price: some files have one for each minute in which nothing was traded."""
    if not table.rows.height or not table.rows["open"].is_in(BLANK).any():
        return table
    blank = table.rows.select(is_blank(PRICES, "volume")).to_series()
    rows, numbers = table.rows.filter(~blank), table.numbers[~blank.to_numpy()]
    return replace(table, rows=rows, numbers=numbers, blank=int(blank.sum()))


def _typed(path: Path, options: FileOptions, scan: Callable[[Path], pl.LazyFrame], kind: str) -> Iterator[Table]:
    """Yield the rows of a file whose columns have types; pandas' index may be one of them."""
    try:
        found = scan(path)
        schema = found.collect_schema()
        known = schema.names()
        places = named_columns(path.name, known, options.columns, options.traded)
        names = [known[place] for place in (*places.time, *(each for each in places.numbers if each is not None))]
        _check_kinds(path, places.time, known, schema)
        height = found.select(pl.len()).collect().item()
        for begin in range(0, height, TYPED_ROWS):
            part = found.select(names).slice(begin, TYPED_ROWS).collect()
            yield _without_blank(_from_typed(path, part, kind, options.zone, begin))
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).partition("\n")[0][:200]
        raise UnusableFileError(
            path, f"it can't be read as {kind.title()} ({reason}); fetch or write it anew"
        ) from None


def _check_kinds(path: Path, time: Sequence[int], names: Sequence[str], schema: pl.Schema) -> None:
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
        if normal(name) in _TYPED_NUMBERS and not (kind.is_numeric() or kind == pl.String):
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
    numbers = np.arange(begin + 1, begin + 1 + part.height, dtype=np.int64)
    return Table(path.name, rows, numbers, form, partial(_explain_typed, zone), unit="row")


def _explain_typed(zone: ZoneInfo, text: str) -> str:
    try:
        change = clock_change(datetime.fromisoformat(text), zone)
    except ValueError:
        change = None
    return f"{text[:60]!r} {change or f'is no time: {Writing.EPOCH.value}'}"
