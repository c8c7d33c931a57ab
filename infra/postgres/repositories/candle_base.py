"""The base of repositories that read candles, stored and archived."""

from infra.postgres.archive.archived_candles import ArchivedCandles
from infra.postgres.connection import Connection
from infra.postgres.repositories.base import Repository


class CandleRepository(Repository):
    """SQL that reads candles; without an archive, what is archived can't be read, rather than be left out."""

    def __init__(self, connection: Connection, archive: ArchivedCandles | None = None) -> None:
        super().__init__(connection)
        self._archive = archive or ArchivedCandles()
