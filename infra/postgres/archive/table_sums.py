"""What PostgreSQL counts and adds up itself of a month's candles, to be compared with files and with a later state."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from infra.postgres.archive.columns import NUMBERS
from infra.postgres.connection import Connection

# The hash of a row is that of its values: 1.50 has that of 1.5. A sum has the most decimal places of its numbers.
_SUMS = f"""
SELECT market, count(*) AS rows, min(open_time) AS first, max(open_time) AS last,
    sum(hash_record_extended(candle, 0)) AS hash,
    {", ".join(f"sum({name}) AS {name}_sum, scale(sum({name})) AS {name}_scale" for name in NUMBERS)}
FROM {{}} AS candle GROUP BY market ORDER BY market"""

_TABLE_SUM = "SELECT count(*), coalesce(sum(hash_record_extended(candle, 0)), 0) FROM {} AS candle"


@dataclass(frozen=True, slots=True)
class TableSum:
    """How many rows there are, and a hash of all: another one, but by a chance of 1 in 2**64, if any row is another."""

    rows: int
    hash: Decimal


@dataclass(frozen=True, slots=True)
class MarketSums:
    """A market's rows in a month: how many, from when to when, a hash, and each number's sum and decimal places."""

    market: str
    rows: int
    first: datetime
    last: datetime
    hash: Decimal
    sums: tuple[Decimal, ...]
    scales: tuple[int, ...]


async def market_sums(connection: Connection, table: str) -> list[MarketSums]:
    """Return the sums of all markets of a partition, in the order of their names."""
    return [
        MarketSums(
            row["market"],
            row["rows"],
            row["first"],
            row["last"],
            row["hash"],
            tuple(row[f"{name}_sum"] for name in NUMBERS),
            tuple(row[f"{name}_scale"] for name in NUMBERS),
        )
        for row in await connection.fetch(_SUMS.format(table))
    ]


async def table_sum(connection: Connection, table: str) -> TableSum:
    """Return what `sum_of` does of the sums of a partition's markets."""
    row = await connection.fetchrow(_TABLE_SUM.format(table))
    assert row is not None
    return TableSum(*row)


def sum_of(sums: list[MarketSums]) -> TableSum:
    """Return the sum over all markets."""
    return TableSum(sum(each.rows for each in sums), sum((each.hash for each in sums), Decimal()))
