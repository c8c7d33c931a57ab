"""The connection of one transaction: BEGIN is sent before its first statement, unless its last is the only one."""

from contextlib import suppress
from typing import Any, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from domain.core.errors import Unavailable
from infra.postgres.connection import Connection, terminate, translate_driver_errors
from infra.postgres.pool import Pool

PooledConnection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"

_ATTEMPTS_TO_BEGIN = 3
"""A pooled connection may have broken unnoticed; another one is tried then, since nothing has happened yet."""
_BROKEN = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What a connection that breaks raises."""


async def acquire(pool: Pool, timeout_seconds: float) -> PooledConnection:
    """Return a connection of the pool, to be released; raises `Unavailable`."""
    with translate_driver_errors():
        return await pool.acquire(timeout=timeout_seconds)


async def release(pool: Pool, driver: PooledConnection) -> None:
    """Give a connection back, broken or not.

    It may break at this moment: asyncpg then takes it back by itself and raises here. The result of its statements is
    known already, and the pool opens another in its place, so the caller need not know.
    """
    with suppress(*_BROKEN):
        await pool.release(driver)


class TransactionConnection(Connection):
    """A connection out of a pool, on which statements run in one transaction until `commit` or `roll_back`."""

    driver: PooledConnection

    def __init__(
        self, driver: PooledConnection, pool: Pool, acquire_timeout_seconds: float, begin: str = "BEGIN"
    ) -> None:
        super().__init__(driver)
        self._begin_statement = begin
        self._pool = pool
        self._acquire_timeout_seconds = acquire_timeout_seconds
        self._begun = False

    async def execute_final(self, query: str, *arguments: object) -> Any:  # noqa: ANN401  # what the column holds
        """Run the transaction's last statement; if it is the only one, it is a transaction by itself, without BEGIN."""
        with translate_driver_errors(self.driver):
            return await self.driver.fetchval(query, *arguments)

    async def commit(self) -> None:
        """Commit; raises RuntimeError if PostgreSQL rolls back because an earlier statement's error was swallowed."""
        if self._begun and await self.execute("COMMIT") != "COMMIT":
            raise RuntimeError("A statement of the transaction failed and its error was ignored: nothing is stored.")

    async def roll_back(self) -> None:
        """Roll back; a connection on which that fails is closed, which has the same effect."""
        try:
            if self.driver.is_in_transaction():
                await self.driver.execute("ROLLBACK")
        except _BROKEN:
            terminate(self.driver)
        except BaseException:
            terminate(self.driver)
            raise

    async def release(self) -> None:
        """Give the connection back."""
        await release(self._pool, self.driver)

    async def _begin(self) -> None:
        attempt = 1
        while not self._begun:
            try:
                with translate_driver_errors(self.driver):
                    await self.driver.execute(self._begin_statement)
            except BaseException as error:
                terminate(self.driver)
                if not isinstance(error, Unavailable) or attempt == _ATTEMPTS_TO_BEGIN:
                    raise
                await self._replace_connection(fresh=attempt > 1)
                attempt += 1
            else:
                self._begun = True
        if self.before_next is not None:
            write, self.before_next = self.before_next, None
            await write()

    async def _replace_connection(self, *, fresh: bool) -> None:
        if fresh:  # Two in a row were broken, so the server was away, and the pool's others are broken as well.
            await self._pool.expire_connections()
        # Before another is asked for: if all connections are broken, their holders would wait for each other.
        await release(self._pool, self.driver)
        self.driver = await acquire(self._pool, self._acquire_timeout_seconds)
