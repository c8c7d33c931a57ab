"""The rows of a file of candles as tables of text, batch by batch, whatever the file is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from infra.history.formats import FIELDS, FileFormat, Layout, named_columns, recognise
from infra.history.lines import BLOCK_BYTES, Block, Numbers, blocks, starts_with
from infra.history.problems import Place, Problem, UnusableFile
from infra.history.times import Writing, microseconds, typed_microseconds

PARQUET_ROWS = 131_072
MOST_HEADER_BYTES = 200_000
_PARQUET = b"PAR1"
_NUMBERS = FIELDS[1:]


@dataclass(frozen=True, slots=True)
class Table:
    """Some rows of a file: `at` (microseconds since 1970, null where unreadable), `time`, and the numbers as text.

    `numbers` are those of the rows' lines; `problems` are lines that have no such columns and are no rows.
    """

    source: str
    rows: pl.DataFrame
    numbers: Numbers
    format: str
    time_right: str
    problems: tuple[Problem, ...] = ()
    unit: str = "line"

    def place(self, index: int) -> Place:
        """Return where a row stands in the file."""
        return Place(self.source, int(self.numbers[index]), self.unit)


def tables(path: Path, wanted: FileFormat, zone: ZoneInfo, block_bytes: int = BLOCK_BYTES) -> Iterator[Table]:
    """Yield all rows of a CSV (plain, gzipped or in a zip archive) or Parquet file; raises `UnusableFile`."""
    if path.is_dir():
        raise UnusableFile(path, "it is a folder; name the files in it, as in folder/*.csv")
    if not path.exists():
        raise UnusableFile(path, "there is no such file")
    start = starts_with(path, 4)
    if not start:
        raise UnusableFile(path, "it is empty")
    found = _parquet(path, zone) if start == _PARQUET else _texts(path, wanted, zone, block_bytes)
    empty = True
    for table in found:
        empty = empty and not (table.rows.height or table.problems)
        yield table
    if empty:
        raise UnusableFile(path, "there are no rows of candles in it")


def _texts(path: Path, wanted: FileFormat, zone: ZoneInfo, block_bytes: int) -> Iterator[Table]:
    source, layout = "", None
    for block in blocks(path, block_bytes):
        begins = layout is None or block.source != source
        if begins:
            source = block.source
            layout = recognise(source, _first_lines(block), wanted, zone)
        assert layout is not None
        yield _table(_without_first(block) if begins and layout.has_header else block, layout)


def _first_lines(block: Block) -> list[str]:
    return block.data[:MOST_HEADER_BYTES].decode(errors="replace").splitlines()[:2]


def _without_first(block: Block) -> Block:
    return Block(block.source, block.data[block.data.index(b"\n") + 1 :], block.numbers[1:])


def _table(block: Block, layout: Layout) -> Table:
    has = block.separators(layout.separator) + 1
    fits = has == layout.columns
    if fits.all():
        return _read(block, layout, ())
    wrong = np.flatnonzero(~fits)
    problems = tuple(
        Problem(
            Place(block.source, int(block.numbers[index])),
            f"it has {has[index]} column{'s' if has[index] != 1 else ''} where the file has {layout.columns}",
        )
        for index in wrong
    )
    lines = block.data.split(b"\n")
    kept = b"".join(lines[index] + b"\n" for index in np.flatnonzero(fits))
    return _read(Block(block.source, kept, block.numbers[fits]), layout, problems)


def _read(block: Block, layout: Layout, problems: tuple[Problem, ...]) -> Table:
    read = _fields(block.data, layout) if block.data else pl.DataFrame(schema=dict.fromkeys(FIELDS, pl.String))
    rows = read.with_columns(microseconds(pl.col("time"), layout.time).alias("at"))
    assert rows.height == len(block.numbers), "each line is a row"
    return Table(block.source, rows, block.numbers, layout.format.value, layout.time.right, problems)


def _fields(data: bytes, layout: Layout) -> pl.DataFrame:
    names = [f"column_{number}" for number in range(layout.columns)]
    for field, position in zip(FIELDS, layout.positions, strict=True):
        names[position] = field
    read = pl.read_csv(
        data,
        has_header=False,
        separator=layout.separator.decode(),
        quote_char=None,
        schema=dict.fromkeys(names, pl.String),
        columns=sorted(layout.positions),
    ).select(pl.col(FIELDS).fill_null(""))
    return read.with_columns(pl.all().str.strip_chars()) if b" " in data else read


def _parquet(path: Path, zone: ZoneInfo) -> Iterator[Table]:
    try:
        found = pl.scan_parquet(path)
        schema = found.collect_schema()
        names = [schema.names()[position] for position in named_columns(path.name, schema.names())]
        kinds = [schema[name] for name in names]
        _check_kinds(path, names, kinds)
        height = found.select(pl.len()).collect().item()
        for begin in range(0, height, PARQUET_ROWS):
            part = found.select(names).slice(begin, PARQUET_ROWS).collect()
            yield _from_parquet(path, part, kinds[0], zone, begin)
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).partition("\n")[0][:200]
        raise UnusableFile(path, f"it can't be read as Parquet ({reason}); fetch or write it anew") from None


def _check_kinds(path: Path, names: Sequence[str], kinds: Sequence[pl.DataType]) -> None:
    time, *numbers = zip(names, kinds, strict=True)
    if not (time[1].is_integer() or time[1] == pl.Date or isinstance(time[1], pl.Datetime)):
        raise UnusableFile(path, f"its column {time[0]} is {time[1]}; it may be a timestamp, a date or whole numbers")
    for name, kind in numbers:
        if not (kind.is_numeric() or kind == pl.String):
            raise UnusableFile(path, f"its column {name} is {kind}; it may be numbers or text of numbers")


def _from_parquet(path: Path, part: pl.DataFrame, kind: pl.DataType, zone: ZoneInfo, begin: int) -> Table:
    rows = part.select(
        typed_microseconds(pl.col(part.columns[0]), kind, zone).alias("at"),
        pl.col(part.columns[0]).cast(pl.String).fill_null("").alias("time"),
        # Floats as the shortest text that reads back as the same float: what was meant when they were written.
        *(
            pl.col(name).cast(pl.String).fill_null("").alias(field)
            for name, field in zip(part.columns[1:], _NUMBERS, strict=True)
        ),
    )
    numbers = np.arange(begin + 1, begin + 1 + part.height, dtype=np.int64)
    return Table(path.name, rows, numbers, "parquet", Writing.EPOCH.value, unit="row")
