"""Counts the statements that reach PostgreSQL."""

import asyncpg

from infra.postgres.connection import DriverConnection
from infra.postgres.pool import Pool


class Statements(list[str]):
    """The statements that ran on connections which were taken from the pool since this was made, in their order."""

    def __init__(self, pool: Pool) -> None:
        super().__init__()
        for holder in pool._holders:  # no other way to reach all connections
            holder._setup = self._follow

    async def _follow(self, connection: DriverConnection) -> None:
        connection.add_query_logger(self._note)

    def _note(self, record: "asyncpg.connection.LoggedQuery") -> None:
        if "pg_catalog" not in record.query and "set_config('jit'" not in record.query:  # the driver's own questions
            self.append(record.query)

    def about(self, table: str) -> list[str]:
        """Return those that name the table."""
        return [statement for statement in self if table in statement]
