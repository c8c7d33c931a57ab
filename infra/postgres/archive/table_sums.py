"""What PostgreSQL counts and adds up itself of a month's candles, to be compared with files and with a later state."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from infra.postgres.archive.columns import NUMBERS
from infra.postgres.connection import Connection

# The hash of a row is that of its values: 1.50 has that of 1.5.
_SUMS = f"""
SELECT market, count(*) AS rows, min(open_time) AS first, max(open_time) AS last,
    sum(hash_record_extended(candle, 0)) AS hash,
    {", ".join(f"sum({name}) AS {name}_sum, max(scale({name})) AS {name}_scale" for name in NUMBERS)}
FROM {{}} AS candle GROUP BY market ORDER BY market"""

_FINGERPRINT = "SELECT sum(hash_record_extended(candle, 0)) FROM {} AS candle"


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


async def fingerprint(connection: Connection, table: str) -> Decimal:
    """Return one number for all rows of a partition, as `fingerprint_of` does of their sums."""
    found: Decimal | None = await connection.fetchval(_FINGERPRINT.format(table))
    return found or Decimal()


def fingerprint_of(sums: list[MarketSums]) -> Decimal:
    """Return one number for all rows: another one, but by a chance of 1 in 2**64, if any row is another."""
    return sum((each.hash for each in sums), Decimal())
