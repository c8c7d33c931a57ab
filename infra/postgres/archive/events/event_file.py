"""The Parquet file of archived events: some users' rows, sorted by user and sequence, and what is read of it."""

import hashlib
from collections.abc import Collection, Sequence
from io import BytesIO
from typing import Final, NamedTuple
from uuid import UUID

import polars as pl
from asyncpg import Record

ROWS_A_FILE: Final = 10_000
"""Some 400 kB: so little is read for a page of events, and rewritten when a user is erased."""
ROWS_A_GROUP: Final = 1_000
"""So many rows are decoded at least for a page of events."""
SCHEMA: Final = {
    "user_id": pl.String(),
    "sequence": pl.Int64(),
    "at": pl.Datetime("us", "UTC"),
    "kind": pl.String(),
    "order_id": pl.String(),
    "subject_type": pl.String(),
    "payload": pl.String(),
    "message": pl.String(),
}
_LEVEL: Final = 3
_NULL, _FIELD, _ROW = "\x1d", "\x1f", "\x1e"

# The same text as `digest` makes of a file's rows; the rows are those of `stored`, which the statement defines.
DIGEST: Final = r"""encode(sha256(convert_to(coalesce(string_agg(
    concat_ws(E'\x1f', user_id, sequence, (extract(epoch FROM at) * 1000000)::bigint, kind,
        coalesce(order_id::text, E'\x1d'), coalesce(subject_type, E'\x1d'), coalesce(payload::text, E'\x1d'),
        coalesce(message, E'\x1d')),
    E'\x1e' ORDER BY user_id, sequence), ''), 'UTF8')), 'hex')"""
COLUMNS: Final = """user_id::text, sequence, (extract(epoch FROM at) * 1000000)::bigint AS at, kind, order_id::text,
    subject_type, payload::text, message"""


class EventRow(NamedTuple):
    """An archived event: its columns as they are in a file, but for the time, which is microseconds since 1970."""

    user_id: str
    sequence: int
    at: int
    kind: str
    order_id: str | None
    subject_type: str | None
    payload: str | None
    message: str | None


def event_frame(rows: Sequence[Record]) -> pl.DataFrame:
    """Return rows of `COLUMNS`."""
    columns = list(zip(*rows, strict=True)) or [()] * len(SCHEMA)
    return pl.DataFrame(
        [
            pl.Series(name, column, pl.Int64() if name == "at" else kind).cast(kind)
            for (name, kind), column in zip(SCHEMA.items(), columns, strict=True)
        ]
    )


def event_file(rows: pl.DataFrame) -> bytes:
    """Return the file of rows that are sorted by user and sequence."""
    file = BytesIO()
    rows.write_parquet(file, compression="zstd", compression_level=_LEVEL, row_group_size=ROWS_A_GROUP, statistics=True)
    return file.getvalue()


def read_event_file(content: bytes) -> pl.DataFrame:
    """Return the rows of a file; raises `polars.exceptions.PolarsError` if it is none."""
    return pl.read_parquet(BytesIO(content))


def digest(rows: pl.DataFrame) -> str:
    """Return a hash of all rows and their order, which PostgreSQL computes by `DIGEST`."""
    text = _ROW.join(
        _FIELD.join(_NULL if value is None else str(value) for value in row)
        for row in rows.with_columns(pl.col("at").to_physical()).iter_rows()
    )
    return hashlib.sha256(text.encode()).hexdigest()


def user_page(content: bytes, user_id: UUID, after: int, limit: int, *, orders_only: bool) -> list[EventRow]:
    """Return at most `limit` events of a user that follow `after`, oldest first."""
    selected = (pl.col("user_id") == str(user_id)) & (pl.col("sequence") > after)
    if orders_only:
        selected &= pl.col("order_id").is_not_null()
    return _rows(pl.scan_parquet(BytesIO(content)).filter(selected).head(limit))


def order_rows(content: bytes, user_id: UUID, order_ids: Collection[UUID]) -> list[EventRow]:
    """Return all events of some orders of a user, oldest first."""
    selected = (pl.col("user_id") == str(user_id)) & pl.col("order_id").is_in([str(order_id) for order_id in order_ids])
    return _rows(pl.scan_parquet(BytesIO(content)).filter(selected))


def event_rows(content: bytes) -> list[EventRow]:
    """Return all rows of a file."""
    return _rows(pl.scan_parquet(BytesIO(content)))


def without_personal(rows: pl.DataFrame, user_ids: Collection[UUID]) -> pl.DataFrame:
    """Return the rows without those of these users that aren't of an order."""
    erased = pl.col("user_id").is_in([str(user_id) for user_id in user_ids]) & pl.col("order_id").is_null()
    return rows.filter(~erased)


def _rows(query: pl.LazyFrame) -> list[EventRow]:
    found = query.with_columns(pl.col("at").to_physical()).select(*SCHEMA).collect()
    return [EventRow(*row) for row in found.iter_rows()]
