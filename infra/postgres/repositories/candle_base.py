"""The base of repositories that read candles, stored and archived."""

from infra.postgres.archive.archives import Archives
from infra.postgres.connection import Connection
from infra.postgres.repositories.base import Repository


class CandleRepository(Repository):
    """SQL that reads candles; without archives, what is archived can't be read, rather than be left out."""

    def __init__(self, connection: Connection, archives: Archives | None = None) -> None:
        super().__init__(connection)
        self._archives = archives or Archives()
