"""The Parquet file of a market's candles of one month: its columns, how it is written and how it is read.

Any tool reads it: `market`, `timeframe`, `open_time` (UTC, microseconds), and `open`, `high`, `low`, `close` and
`volume` as exact decimals. Rows are sorted by timeframe and time; each timeframe is a row group with statistics of its
own. Numbers are stored as the differences between neighbours (DELTA_BINARY_PACKED of the Parquet format), which
are small, and then compressed by zstd.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from infra.postgres.archive.columns import COLUMNS, MOST_DIGITS, NUMBERS

FEW_DIGITS: Final = 18
"""As many digits fit into eight bytes."""
_TIME: Final = pa.timestamp("us", "UTC")
_LEVEL: Final = 3
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class UnarchivableNumber(Exception):
    """A stored number has more digits than a file can hold, or is none; its rows stay in the database."""


@dataclass(frozen=True, slots=True)
class CandleFile:
    """A file's content, and how many rows it has."""

    content: bytes
    rows: int

    @property
    def sha256(self) -> str:
        """The content's hash, in hexadecimal digits."""
        return hashlib.sha256(self.content).hexdigest()


def parse_rows(lines: bytes, market: str, scales: Sequence[int]) -> pa.Table:
    """Return a market's rows of COPY's CSV, all of `COLUMNS` but the first; `scales` are the places of `NUMBERS`.

    Times are microseconds since 1970.
    Raises `UnarchivableNumber`.
    """
    types = {name: pa.decimal128(MOST_DIGITS, scale) for name, scale in zip(NUMBERS, scales, strict=True)}
    try:
        table = pa.csv.read_csv(
            pa.BufferReader(lines),
            read_options=pa.csv.ReadOptions(column_names=COLUMNS[1:]),
            convert_options=pa.csv.ConvertOptions(
                column_types={"timeframe": pa.string(), "open_time": pa.int64()} | types, strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        raise UnarchivableNumber(str(error)) from None
    place = table.schema.get_field_index("open_time")
    table = table.set_column(place, "open_time", table["open_time"].cast(_TIME))
    for name, scale in zip(NUMBERS, scales, strict=True):
        table = _narrowed(table, name, scale)
    return table.add_column(0, COLUMNS[0], pa.repeat(market, table.num_rows)).combine_chunks()


def candle_file(table: pa.Table) -> CandleFile:
    """Return the file of rows that are sorted by timeframe and time."""
    sink = pa.BufferOutputStream()
    deltas = {name: "DELTA_BINARY_PACKED" for name in ("open_time", *NUMBERS) if _is_narrow(table, name)}
    with pq.ParquetWriter(
        sink,
        table.schema,
        compression="zstd",
        compression_level=_LEVEL,
        use_dictionary=["market", "timeframe"],
        column_encoding=deltas,
        store_decimal_as_integer=True,
        write_statistics=True,
    ) as writer:
        for timeframe in pc.unique(table["timeframe"]):
            writer.write_table(table.filter(pc.equal(table["timeframe"], timeframe)))
    return CandleFile(sink.getvalue().to_pybytes(), table.num_rows)


def read_candle_file(content: bytes) -> pa.Table:
    """Return the rows of a file; raises `pyarrow.ArrowInvalid` if it is none."""
    return pq.read_table(pa.BufferReader(content)).combine_chunks()


def sums_of(table: pa.Table) -> tuple[Decimal, ...]:
    """Return the sum of each of `NUMBERS`."""
    return tuple(pc.sum(_room_for_sum(table, name)).as_py() or Decimal() for name in NUMBERS)


def _room_for_sum(table: pa.Table, name: str) -> pa.ChunkedArray:
    """Return a column whose sum fits: pyarrow gives that of few digits 38, and others as many as they have."""
    if _is_narrow(table, name):
        return table[name]
    return table[name].cast(pa.decimal256(76, table.schema.field(name).type.scale))


def period_of(table: pa.Table) -> tuple[datetime, datetime]:
    """Return when the first and the last row open."""
    ends = pc.min_max(table["open_time"].cast(pa.int64()))
    return _EPOCH + ends["min"].as_py() * _MICROSECOND, _EPOCH + ends["max"].as_py() * _MICROSECOND


def _narrowed(table: pa.Table, name: str, scale: int) -> pa.Table:
    """Return the table with a column of at most `FEW_DIGITS` digits, if its numbers have no more."""
    try:
        column = table[name].cast(pa.decimal128(FEW_DIGITS, scale))
    except pa.ArrowInvalid:
        return table
    return table.set_column(table.schema.get_field_index(name), name, column)


def _is_narrow(table: pa.Table, name: str) -> bool:
    kind = table.schema.field(name).type
    return not pa.types.is_decimal(kind) or kind.precision <= FEW_DIGITS
