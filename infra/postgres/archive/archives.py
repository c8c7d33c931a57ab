"""What is archived of each table, for the queries of one node."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from domain.ports.archive import ArchiveStorage
from infra.postgres.archive.archived_candles import ArchivedCandles
from infra.postgres.archive.archived_depths import ArchivedDepths
from infra.postgres.archive.archived_trades import ArchivedTrades
from infra.postgres.archive.events.archived_events import ArchivedEvents


@dataclass(frozen=True, slots=True)
class Archives:
    """The archived rows of each table; made of nothing, what is archived can't be read, rather than be left out."""

    candles: ArchivedCandles = field(default_factory=ArchivedCandles)
    trades: ArchivedTrades = field(default_factory=ArchivedTrades)
    depths: ArchivedDepths = field(default_factory=ArchivedDepths)
    events: ArchivedEvents = field(default_factory=ArchivedEvents)

    @classmethod
    def of(cls, storage: ArchiveStorage | None, monotonic: Callable[[], float] = time.monotonic) -> Self:
        """Return what reads the files of a storage."""
        return cls(
            ArchivedCandles(storage, monotonic),
            ArchivedTrades(storage, monotonic),
            ArchivedDepths(storage, monotonic),
            ArchivedEvents(storage, monotonic),
        )
