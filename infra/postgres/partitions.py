"""Monthly partitions of what grows for ever: made ahead of time, for past months on demand.

There is no DEFAULT partition on purpose. Rows that landed in it would have to be moved, under a lock that blocks all
writers, before their month's partition could be made, and archiving could never drop it. So a row of a month that was
not made is refused, and whoever writes to other months than the present calls `ensure_months` first.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from infra.postgres.connection import Connection

PARTITIONED = ("candles", "trades", "minute_volumes", "depth_snapshots", "user_events")
"""The tables that are partitioned by month."""

_LOCK = 7_235_843_402
"""The advisory lock of partition makers."""


async def ensure_partitions(connection: Connection, months_ahead: int) -> list[str]:
    """Make this month's partitions of all tables and those of the next months; return the names of the new ones.

    This month is the database's.
    """
    now: datetime = await connection.fetchval("SELECT now()")
    months = _months(now, _month_start(now, months_ahead))
    tables = await _existing_tables(connection, PARTITIONED)
    return await _ensure(connection, [(table, month) for table in PARTITIONED if table in tables for month in months])


async def ensure_months(connection: Connection, table: str, start: datetime, end: datetime) -> list[str]:
    """Make the partitions of one table from the month of `start` to that of `end`; return the names of the new ones."""
    return await _ensure(connection, [(table, month) for month in _months(start, end)])


def partition_name(table: str, month: datetime) -> str:
    """Return the name of a month's partition, such as `user_events_2026_11`."""
    return f"{table}_{month:%Y_%m}"


async def _ensure(connection: Connection, partitions: list[tuple[str, datetime]]) -> list[str]:
    missing = await _missing_partitions(connection, partitions)
    if not missing:
        return []
    async with connection.in_transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        missing = await _missing_partitions(connection, missing)
        for table, month in missing:
            await _create_partition(connection, table, month)
    return [partition_name(table, month) for table, month in missing]


async def _missing_partitions(
    connection: Connection, partitions: list[tuple[str, datetime]]
) -> list[tuple[str, datetime]]:
    names = [partition_name(table, month) for table, month in partitions]
    present = await _existing_tables(connection, names)
    return [pair for pair, name in zip(partitions, names, strict=True) if name not in present]


async def _existing_tables(connection: Connection, tables: Sequence[str]) -> set[str]:
    """Return which of the tables exist; from pg_class, since to_regclass may answer what the session saw earlier."""
    query = "SELECT relname FROM pg_class WHERE relname = ANY($1) AND relnamespace = current_schema()::regnamespace"
    return {row["relname"] for row in await connection.fetch(query, tables)}


async def _create_partition(connection: Connection, table: str, month: datetime) -> None:
    """Make the table first and attach it then: that lets readers and writers of the others go on.

    CREATE TABLE … PARTITION OF would lock the whole parent (PostgreSQL manual, 5.12.2.2).
    """
    name, start, end = partition_name(table, month), month.isoformat(), _month_start(month, 1).isoformat()
    await connection.execute(
        f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL);"
        f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{start}') TO ('{end}')"
    )


def _months(start: datetime, end: datetime) -> list[datetime]:
    months, month = [], _month_start(start, 0)
    while month <= end.astimezone(UTC):
        months.append(month)
        month = _month_start(month, 1)
    return months


def _month_start(at: datetime, months: int) -> datetime:
    """Return the first moment of the UTC month that lies `months` after the one of `at`."""
    at = at.astimezone(UTC)
    year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
    return datetime(year, month + 1, 1, tzinfo=UTC)
