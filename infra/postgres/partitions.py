"""Creates the monthly partitions of tables that keep growing: ahead of time, and past months on demand.

There is no DEFAULT partition on purpose. Rows in it would have to be moved, under a lock that blocks all writers,
before their month's partition could be created, and archiving could never drop it. So a row of a month without a
partition is refused, and code that writes to other months than the present one calls `ensure_months` first.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from infra.postgres.connection import Connection

PARTITIONED = ("candles", "trades", "minute_volumes", "depth_snapshots", "user_events")
"""The tables that are partitioned by month."""

_LOCK = 7_235_843_402
"""The key of the advisory lock for creating partitions."""


async def ensure_partitions(connection: Connection, months_ahead: int) -> list[str]:
    """Create the partitions of all tables for this month (by the database's clock) and the next ones.

    Returns the names of the new ones.
    """
    now: datetime = await connection.fetchval("SELECT now()")
    months = _months(now, _month_start(now, months_ahead))
    tables = await _existing_tables(connection, PARTITIONED)
    return await _ensure(connection, [(table, month) for table in PARTITIONED if table in tables for month in months])


async def ensure_months(connection: Connection, table: str, start: datetime, end: datetime) -> list[str]:
    """Create the missing partitions of a table from the month of `start` to that of `end`; return their names."""
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
    """Return which of the tables exist; from pg_class, since to_regclass may answer from the session's cache."""
    query = "SELECT relname FROM pg_class WHERE relname = ANY($1) AND relnamespace = current_schema()::regnamespace"
    return {row["relname"] for row in await connection.fetch(query, tables)}


async def _create_partition(connection: Connection, table: str, month: datetime) -> None:
    """Create the table first, then attach it, so that readers and writers of other partitions aren't blocked.

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
    """Return the start of the UTC month that is `months` after that of `at`."""
    at = at.astimezone(UTC)
    year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
    return datetime(year, month + 1, 1, tzinfo=UTC)
