"""What the archive has: batches of a month's rows as files, and how far each batch has got."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum


class BatchState(StrEnum):
    """How far a batch has got; only rows of a VERIFIED one are ever dropped from the database."""

    WRITING = "WRITING"
    """Its files are being written, or the one who wrote them died; nobody reads them."""
    VERIFIED = "VERIFIED"
    """Its files were read back and are as the database; queries read both from now on."""
    DROPPED = "DROPPED"
    """Its rows are in the files alone; later corrections of them may be in the database."""
    RESTORED = "RESTORED"
    """Its rows are in the database again, and stay there until the month is archived by hand."""
    SUPERSEDED = "SUPERSEDED"
    """The rows changed before they were dropped, so that they are written again; nobody reads its files."""


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """Rows of a batch that belong together: a file with its hash, its rows from `first` to `last`, and their sums.

    `part` is whose rows they are: a market, as `binance:BTC/USDT`; for tables that are split by user, the user's id.
    """

    part: str
    name: str
    rows: int
    size_bytes: int
    sha256: str
    first: datetime
    last: datetime
    sums: tuple[Decimal, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of one month of a table that were archived together."""

    id: int
    table: str
    month: datetime
    state: BatchState
    rows: int
    files: int
    size_bytes: int
    begun_at: datetime
    verified_at: datetime | None
    dropped_at: datetime | None


@dataclass(frozen=True, slots=True)
class LostFile:
    """A file whose rows are lost, from `first` to `last`; `given_up_at` is None until somebody has decided so.

    `part` is as that of an `ArchivedFile`.
    """

    name: str
    table: str
    part: str
    rows: int
    first: datetime
    last: datetime
    reason: str
    given_up_at: datetime | None = None


def boundary(now: datetime, retention_months: int) -> datetime:
    """Return the start of the oldest month that stays: the present one and `retention_months` before it do."""
    months = now.astimezone(UTC).year * 12 + now.astimezone(UTC).month - 1 - retention_months
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)
