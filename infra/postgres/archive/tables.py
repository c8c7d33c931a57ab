"""What is archived: each table's columns, how its files are split and sorted, and what is added up to compare them.

Another table is another `ArchivedTable`, and a class that reads its files for queries by `ArchivedFiles`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final
from urllib.parse import quote


class Kind(Enum):
    """What a column's values are: in the database, and in a file."""

    TEXT = "TEXT"
    """Text; also ids and JSON, for which `Column.sql_type` says what they are in the database."""
    TIME = "TIME"
    """A time: microseconds, in UTC."""
    NUMBER = "NUMBER"
    """An exact decimal of at most 38 digits."""
    INTEGER = "INTEGER"
    """A whole number of eight bytes."""
    LEVELS = "LEVELS"
    """A side of a book: JSON in the database, a list of prices and quantities, which are exact decimals, in a file."""


_SQL_TYPES: Final = {
    Kind.TEXT: "text",
    Kind.TIME: "timestamptz",
    Kind.NUMBER: "numeric",
    Kind.INTEGER: "bigint",
    Kind.LEVELS: "jsonb",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column; `repeated` says that it has few values, none with a line break, which a file holds once."""

    name: str
    kind: Kind
    repeated: bool = False
    sql_type: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "sql_type", self.sql_type or _SQL_TYPES[self.kind])


@dataclass(frozen=True, slots=True)
class ArchivedTable:
    """A table that is partitioned by month, as `infra.postgres.partitions` names its partitions.

    - `columns`: all of them, in the order of the files; the first one says whose the rows are, and each of its values
      has files of its own: the market, or the user.
    - `time`: the column by which the table is partitioned.
    - `order`: the columns by which the rows of a file are sorted; of ids, which aren't `repeated`, the shorter come
      first, as those that are numbers count up.
    - `sums`: the columns that PostgreSQL adds up to compare a file with, all with decimals among them; of texts, the
      numbers of bytes; of a book's levels, first the prices and then the quantities.
    - `group`: the column of which each value is a row group, if any; `order` begins with it.
    - `rows_a_file`: a part with more rows gets several files, of whole hours each; None if it always gets one.
    - `file_name`: the path of a part's file in its batch's folder, without the ending; another one for each part.
    """

    name: str
    columns: tuple[Column, ...]
    time: str
    order: tuple[str, ...]
    sums: tuple[str, ...]
    file_name: Callable[[str], str]
    group: str | None = None
    rows_a_file: int | None = None

    @property
    def part(self) -> Column:
        """The column that says whose the rows are."""
        return self.columns[0]

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return [column.name for column in self.columns]

    @property
    def numbers(self) -> list[str]:
        """The names of the columns of exact decimals."""
        return [column.name for column in self.columns if column.kind is Kind.NUMBER]

    def column(self, name: str) -> Column:
        """Return a column by its name."""
        return next(column for column in self.columns if column.name == name)

    def kind(self, name: str) -> Kind:
        """Return what a column's values are."""
        return self.column(name).kind


def market_file(market: str) -> str:
    """Return a market's path, another one for each: that of `binance:BTC/USDT` is `binance/BTC_USDT`."""
    venue, _, symbol = market.partition(":")
    return f"{_plain(venue)}/{_plain(symbol)}"


def _plain(text: str) -> str:
    return quote(text, safe="/").replace("_", "%5F").replace(".", "%2E").replace("/", "_")


MARKET: Final = Column("market", Kind.TEXT, repeated=True)

CANDLES: Final = ArchivedTable(
    "candles",
    (
        MARKET,
        Column("timeframe", Kind.TEXT, repeated=True),
        Column("open_time", Kind.TIME),
        *(Column(name, Kind.NUMBER) for name in ("open", "high", "low", "close", "volume")),
    ),
    time="open_time",
    order=("timeframe", "open_time"),
    sums=("open", "high", "low", "close", "volume"),
    file_name=market_file,
    group="timeframe",
)

TRADES: Final = ArchivedTable(
    "trades",
    (
        MARKET,
        Column("at", Kind.TIME),
        Column("venue_trade_id", Kind.TEXT),
        Column("price", Kind.NUMBER),
        Column("quantity", Kind.NUMBER),
        Column("side", Kind.TEXT, repeated=True),
    ),
    time="at",
    order=("at", "venue_trade_id"),
    sums=("venue_trade_id", "price", "quantity", "side"),
    file_name=market_file,
    rows_a_file=100_000,
)

DEPTH_SNAPSHOTS: Final = ArchivedTable(
    "depth_snapshots",
    (
        MARKET,
        Column("at", Kind.TIME),
        Column("epoch", Kind.TEXT, repeated=True),
        Column("sequence", Kind.INTEGER),
        Column("venue_time", Kind.TIME),
        Column("bids", Kind.LEVELS),
        Column("asks", Kind.LEVELS),
    ),
    time="at",
    order=("at", "epoch", "sequence"),
    sums=("epoch", "sequence", "bids", "asks"),
    file_name=market_file,
    rows_a_file=5_000,
)

ARCHIVED_TABLES: Final = {table.name: table for table in (CANDLES, TRADES, DEPTH_SNAPSHOTS)}
"""All tables of which old months are archived, in the order in which that is done."""

USER_EVENTS: Final = "user_events"
"""The table of users' events, which `infra.postgres.archive.events` archives: its files have several users."""

TABLE_NAMES: Final = (*ARCHIVED_TABLES, USER_EVENTS)
"""All tables of which old months are archived."""
