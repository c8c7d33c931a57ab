"""What PostgreSQL counts and adds up itself of a month's rows, to be compared with files and with a later state."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from asyncpg import Record

from infra.postgres.archive.tables import ArchivedTable, Kind
from infra.postgres.connection import Connection

# The hash of a row is that of its values: 1.50 has that of 1.5. A sum has the most decimal places of its numbers.
_SUMS = """
SELECT {part}::text AS part, count(*) AS rows, min({time}) AS first, max({time}) AS last,
    sum(hash_record_extended(stored, 0)) AS hash, {sums}
FROM {partition} AS stored GROUP BY {groups} ORDER BY {groups}"""

_LEVELS = "(SELECT sum((level->>{place})::numeric) FROM jsonb_array_elements({name}) AS level)"
_TABLE_SUM = "SELECT count(*), coalesce(sum(hash_record_extended(stored, 0)), 0) FROM {} AS stored"


@dataclass(frozen=True, slots=True)
class TableSum:
    """How many rows there are, and a hash of all: another one, but by a chance of 1 in 2**64, if any row is another."""

    rows: int
    hash: Decimal


@dataclass(frozen=True, slots=True)
class PartSums:
    """The rows of a file: whose they are, how many, from when to when, a hash, and the sums and their decimal places.

    `number` counts the files of a part that has several; it is None for those with one.
    """

    part: str
    rows: int
    first: datetime
    last: datetime
    hash: Decimal
    sums: tuple[Decimal, ...]
    scales: tuple[int, ...]
    number: int | None = None


async def part_sums(connection: Connection, table: ArchivedTable, partition: str) -> list[PartSums]:
    """Return the sums of the rows of each file that a partition becomes: by parts, in the order of time."""
    groups = table.part.name if table.rows_a_file is None else f"{table.part.name}, date_trunc('hour', {table.time})"
    text = _SUMS.format(
        part=table.part.name, time=table.time, sums=_sums_sql(table), partition=partition, groups=groups
    )
    found = [_part_sums(table, row) for row in await connection.fetch(text)]
    return found if table.rows_a_file is None else _joined(found, table.rows_a_file)


async def table_sum(connection: Connection, partition: str) -> TableSum:
    """Return what `sum_of` does of the sums of a partition's parts."""
    row = await connection.fetchrow(_TABLE_SUM.format(partition))
    assert row is not None
    return TableSum(*row)


def sum_of(sums: Sequence[PartSums]) -> TableSum:
    """Return the sum over all parts."""
    return TableSum(sum(each.rows for each in sums), sum((each.hash for each in sums), Decimal()))


def _sums_sql(table: ArchivedTable) -> str:
    return ", ".join(
        f"coalesce(sum({value}), 0)::numeric AS sum_{place}, coalesce(scale(sum({value})::numeric), 0) AS scale_{place}"
        for place, value in enumerate(_values(table))
    )


def _values(table: ArchivedTable) -> list[str]:
    """Return what is added up of each row, as SQL."""
    values: list[str] = []
    for name in table.sums:
        match table.kind(name):
            case Kind.TEXT:
                values.append(f"octet_length({name}::text)")
            case Kind.LEVELS:
                values += [_LEVELS.format(name=name, place=place) for place in (0, 1)]
            case _:
                values.append(name)
    return values


def _part_sums(table: ArchivedTable, row: Record) -> PartSums:
    return PartSums(
        row["part"],
        row["rows"],
        row["first"],
        row["last"],
        row["hash"],
        tuple(row[f"sum_{place}"] for place in range(len(_values(table)))),
        tuple(row[f"scale_{place}"] for place in range(len(_values(table)))),
    )


def _joined(hours: Sequence[PartSums], most_rows: int) -> list[PartSums]:
    """Return the sums of files of several hours each, with `most_rows` at most unless a single hour has more."""
    files: list[list[PartSums]] = []
    for hour in hours:
        if files and files[-1][-1].part == hour.part and files[-1][-1].rows + hour.rows <= most_rows:
            files[-1][-1] = _added(files[-1][-1], hour)
        elif files and files[-1][-1].part == hour.part:
            files[-1].append(hour)
        else:
            files.append([hour])
    return [
        replace(sums, number=number) if len(several) > 1 else sums
        for several in files
        for number, sums in enumerate(several, 1)
    ]


def _added(one: PartSums, later: PartSums) -> PartSums:
    return replace(
        one,
        rows=one.rows + later.rows,
        last=later.last,
        hash=one.hash + later.hash,
        sums=tuple(ours + theirs for ours, theirs in zip(one.sums, later.sums, strict=True)),
        scales=tuple(map(max, zip(one.scales, later.scales, strict=True))),
    )
