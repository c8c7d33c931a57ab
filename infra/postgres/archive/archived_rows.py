"""Archived candles as parameters of a statement, which then reads them with those of the table."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from infra.postgres.archive.columns import COLUMNS, NUMBERS

_KEY = ["market", "timeframe", "open_time"]
_LISTS = ", ".join(f"string_to_array(${{{number}}}, chr(10))" for number in range(len(COLUMNS)))
# A stored candle counts before an archived one: it is a correction. The name of the table is that of the first
# part of the statement's WITH, so that all that follows reads both.
_BOTH = f"""archived AS MATERIALIZED (
    SELECT market COLLATE "C" AS market, timeframe COLLATE "C" AS timeframe, open_time::timestamptz AS open_time,
        {", ".join(f"{name}::numeric AS {name}" for name in NUMBERS)}
    FROM unnest({_LISTS}) AS given ({", ".join(COLUMNS)})
    WHERE NOT EXISTS (
        SELECT FROM candles AS stored WHERE stored.market = given.market AND stored.timeframe = given.timeframe
            AND stored.open_time = given.open_time::timestamptz
    )
), candles AS NOT MATERIALIZED (
    SELECT {", ".join(COLUMNS)} FROM candles UNION ALL SELECT {", ".join(COLUMNS)} FROM archived
)"""


@dataclass(frozen=True, slots=True)
class ArchivedRows:
    """Archived candles, no two of the same market, timeframe and time; numbers are text."""

    frame: pl.DataFrame

    def __len__(self) -> int:
        return self.frame.height

    @property
    def arguments(self) -> tuple[str, ...]:
        """The columns as lines of text, in the order of `COLUMNS`."""
        times = pl.col("open_time").dt.strftime("%Y-%m-%d %H:%M:%S%.6f+00")
        texts = self.frame.select("market", "timeframe", times, *NUMBERS)
        return tuple("\n".join(texts[name]) for name in COLUMNS)

    def merged(self, statement: str, arguments: Sequence[object]) -> tuple[str, tuple[object, ...]]:
        """Return a statement that reads these candles with those of the table `candles`, and its arguments."""
        if not len(self):
            return statement, tuple(arguments)
        both = _BOTH.format(*range(len(arguments) + 1, len(arguments) + len(COLUMNS) + 1))
        text = statement.lstrip()
        parts = f", {text.removeprefix('WITH ')}" if text.startswith("WITH ") else f" {text}"
        return f"WITH {both}{parts}", (*arguments, *self.arguments)


def no_rows() -> ArchivedRows:
    """Return no candles."""
    texts = [(name, pl.String()) for name in COLUMNS if name != "open_time"]
    return ArchivedRows(pl.DataFrame(schema=[*texts, ("open_time", pl.Datetime("us", "UTC"))]).select(COLUMNS))


def all_rows(parts: Sequence[ArchivedRows]) -> ArchivedRows:
    """Return the candles of all parts; those that are in several parts, once."""
    if not parts:
        return no_rows()
    return ArchivedRows(pl.concat([part.frame for part in parts]).unique(_KEY, keep="first", maintain_order=True))
