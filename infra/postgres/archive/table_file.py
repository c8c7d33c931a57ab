"""The Parquet file of a part's rows of one month: its columns, how it is written and how it is read.

Any tool reads it: texts, times (UTC, microseconds), whole numbers and exact decimals. Rows are sorted; where a table
has groups, as candles have timeframes, each is a row group with statistics of its own. Times and numbers are stored as
the differences between neighbours (DELTA_BINARY_PACKED of the Parquet format), which are small, texts by what they
begin with as those before (DELTA_BYTE_ARRAY), and all are then compressed by zstd.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from infra.postgres.archive.book_levels import column_of, documents_of, levels_of
from infra.postgres.archive.columns import MOST_DIGITS
from infra.postgres.archive.tables import ArchivedTable, Kind

FEW_DIGITS: Final = 18
"""As many digits fit into eight bytes."""
_TIME: Final = pa.timestamp("us", "UTC")
_LEVEL: Final = 3
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_GROUP_ROWS: Final = 100_000
_CSV_TYPES: Final = {Kind.TEXT: pa.string(), Kind.TIME: pa.int64(), Kind.INTEGER: pa.int64(), Kind.LEVELS: pa.string()}


class UnarchivableRow(Exception):
    """A stored number has more digits than a file can hold, or is none; its rows stay in the database."""


@dataclass(frozen=True, slots=True)
class TableFile:
    """A file's content, and how many rows it has."""

    content: bytes
    rows: int

    @property
    def sha256(self) -> str:
        """The content's hash, in hexadecimal digits."""
        return hashlib.sha256(self.content).hexdigest()


def parse_rows(table: ArchivedTable, lines: bytes, part: str, scales: Sequence[int]) -> pa.Table:
    """Return a part's rows, sorted, of COPY's CSV in any order, which lacks the first column.

    `scales` are the decimal places of the table's `sums`.
    Times are microseconds since 1970.
    Raises `UnarchivableRow`.
    """
    places = _places(table, scales)
    try:
        rows = _sorted(table, _read_csv(table, lines, places))
        for place, column in enumerate(table.columns[1:]):
            if column.kind is Kind.LEVELS:
                rows = rows.set_column(place, column.name, _levels(rows[column.name], places[column.name]))
    except (pa.ArrowInvalid, msgspec.MsgspecError) as error:
        raise UnarchivableRow(str(error)) from None
    for place, column in enumerate(table.columns[1:]):
        if column.kind is Kind.TIME:
            rows = rows.set_column(place, column.name, rows[column.name].cast(_TIME))
    for name in table.numbers:
        rows = _narrowed(rows, name, places[name][0])
    return rows.add_column(0, table.part.name, pa.repeat(part, rows.num_rows)).combine_chunks()


def table_file(table: ArchivedTable, rows: pa.Table) -> TableFile:
    """Return the file of rows that are sorted."""
    sink = pa.BufferOutputStream()
    repeated = [column.name for column in table.columns if column.repeated]
    texts = [column.name for column in table.columns if column.kind is Kind.TEXT and not column.repeated]
    numbers = _narrow_numbers(table, rows)
    with pq.ParquetWriter(
        sink,
        rows.schema,
        compression="zstd",
        compression_level=_LEVEL,
        use_dictionary=repeated,
        column_encoding=dict.fromkeys(texts, "DELTA_BYTE_ARRAY") | dict.fromkeys(numbers, "DELTA_BINARY_PACKED"),
        store_decimal_as_integer=True,
        write_statistics=True,
    ) as writer:
        if table.group is None:
            writer.write_table(rows, row_group_size=_GROUP_ROWS)
        else:
            for value in pc.unique(rows[table.group]):
                writer.write_table(rows.filter(pc.equal(rows[table.group], value)))
    return TableFile(sink.getvalue().to_pybytes(), rows.num_rows)


def read_table_file(content: bytes) -> pa.Table:
    """Return the rows of a file; raises `pyarrow.ArrowInvalid` if it is none."""
    return pq.read_table(pa.BufferReader(content)).combine_chunks()


def sums_of(table: ArchivedTable, rows: pa.Table) -> tuple[Decimal, ...]:
    """Return the sum of each of the table's `sums`, as PostgreSQL adds them up."""
    columns = [column for name in table.sums for column in _summable(table.kind(name), rows[name])]
    return tuple(Decimal(pc.sum(column).as_py() or 0) for column in columns)


def period_of(table: ArchivedTable, rows: pa.Table) -> tuple[datetime, datetime]:
    """Return the times of the first and the last row."""
    ends = pc.min_max(rows[table.time].cast(pa.int64()))
    return _EPOCH + ends["min"].as_py() * _MICROSECOND, _EPOCH + ends["max"].as_py() * _MICROSECOND


def csv_of(rows: pa.Table) -> bytes:
    """Return rows as CSV for COPY: texts in quotes, what is NULL as nothing."""
    columns = [_csv_column(column) for column in rows.itercolumns()]
    sink = pa.BufferOutputStream()
    pa.csv.write_csv(pa.table(columns, rows.column_names), sink, pa.csv.WriteOptions(include_header=False))
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _csv_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_list(column.type):
        return pa.chunked_array([documents_of(column)])
    return column.cast(pa.string()) if pa.types.is_decimal(column.type) else column


def _places(table: ArchivedTable, scales: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """Return the decimal places of each of the table's `sums`: two of them for levels."""
    left = iter(scales)
    return {name: tuple(islice(left, 2 if table.kind(name) is Kind.LEVELS else 1)) for name in table.sums}


def _levels(documents: pa.ChunkedArray, places: Sequence[int]) -> pa.ListArray:
    """Return levels with few digits if these suffice; raises `pyarrow.ArrowInvalid` if none do."""
    price_places, quantity_places = places
    try:
        return levels_of(documents, pa.decimal128(FEW_DIGITS, price_places), pa.decimal128(FEW_DIGITS, quantity_places))
    except pa.ArrowInvalid:
        most = MOST_DIGITS
        return levels_of(documents, pa.decimal128(most, price_places), pa.decimal128(most, quantity_places))


def _read_csv(table: ArchivedTable, lines: bytes, places: Mapping[str, Sequence[int]]) -> pa.Table:
    types = {
        column.name: _CSV_TYPES.get(column.kind) or pa.decimal128(MOST_DIGITS, places[column.name][0])
        for column in table.columns[1:]
    }
    free_text = any(column.kind is Kind.TEXT and not column.repeated for column in table.columns)
    return pa.csv.read_csv(
        pa.BufferReader(lines),
        read_options=pa.csv.ReadOptions(column_names=table.names[1:]),
        parse_options=pa.csv.ParseOptions(newlines_in_values=free_text),
        convert_options=pa.csv.ConvertOptions(
            column_types=types, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
        ),
    )


def _sorted(table: ArchivedTable, rows: pa.Table) -> pa.Table:
    """Return rows in the table's order, texts by their characters, however the database would sort them."""
    keys: list[pa.ChunkedArray] = []
    for name in table.order:
        column = table.column(name)
        if column.kind is Kind.TEXT and not column.repeated:
            keys.append(pc.utf8_length(rows[name]))
        keys.append(rows[name])
    names = [str(place) for place in range(len(keys))]
    order = pc.sort_indices(pa.table(keys, names), sort_keys=[(name, "ascending") for name in names])
    return rows.take(order)


def _summable(kind: Kind, column: pa.ChunkedArray) -> list[pa.ChunkedArray]:
    """Return what is added up of a column; pyarrow gives a sum of few digits 38, others as many as they have."""
    match kind:
        case Kind.TEXT:
            return [pc.binary_length(column)]
        case Kind.INTEGER:
            return [column.cast(pa.decimal128(FEW_DIGITS + 1, 0))]
        case Kind.LEVELS:
            return [_with_room(column_of(column, field)) for field in ("price", "quantity")]
        case _:
            return [_with_room(column)]


def _with_room(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column if _is_narrow(column.type) else column.cast(pa.decimal256(76, column.type.scale))


def _narrowed(rows: pa.Table, name: str, scale: int) -> pa.Table:
    """Return the rows with a column of at most `FEW_DIGITS` digits, if its numbers have no more."""
    try:
        column = rows[name].cast(pa.decimal128(FEW_DIGITS, scale))
    except pa.ArrowInvalid:
        return rows
    return rows.set_column(rows.schema.get_field_index(name), name, column)


def _narrow_numbers(table: ArchivedTable, rows: pa.Table) -> list[str]:
    """Return the paths of columns of numbers of eight bytes."""
    paths: dict[str, pa.DataType] = {}
    for column in table.columns:
        kind = rows.schema.field(column.name).type
        if column.kind is Kind.LEVELS:
            paths |= {f"{column.name}.list.element.{leaf.name}": leaf.type for leaf in kind.value_type}
        elif column.kind is not Kind.TEXT:
            paths[column.name] = kind
    return [path for path, kind in paths.items() if _is_narrow(kind)]


def _is_narrow(kind: pa.DataType) -> bool:
    return not pa.types.is_decimal(kind) or kind.precision <= FEW_DIGITS
