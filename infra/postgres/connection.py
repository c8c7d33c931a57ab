"""A database connection whose failures are told in the domain's words."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from domain.core.errors import Unavailable

DriverConnection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

_UNREACHABLE = (
    OSError,  # includes time-outs
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # the server is shutting down, recovering, or cancelled the statement
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,  # a deadlock or a serialisation failure: nothing happened
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,  # a primary that became a standby
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InternalClientError,
)


class Connection:
    """What repositories run their statements on: asyncpg's methods, raising `Unavailable` where the database can't."""

    def __init__(self, driver: DriverConnection) -> None:
        self.driver = driver

    async def execute(self, query: str, *arguments: object) -> str:
        """Run a statement, or several separated by semicolons where there are no arguments; return its tag."""
        await self._begin()
        with translate_driver_errors(self.driver):
            return await self.driver.execute(query, *arguments)

    async def executemany(self, query: str, rows: Iterable[Sequence[object]]) -> None:
        """Run a statement once a row, sent together."""
        await self._begin()
        with translate_driver_errors(self.driver):
            await self.driver.executemany(query, rows)

    async def fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """Return all rows."""
        await self._begin()
        with translate_driver_errors(self.driver):
            return await self.driver.fetch(query, *arguments)

    async def fetchrow(self, query: str, *arguments: object) -> asyncpg.Record | None:
        """Return the first row; None where there is none."""
        await self._begin()
        with translate_driver_errors(self.driver):
            return await self.driver.fetchrow(query, *arguments)

    async def fetchval(self, query: str, *arguments: object) -> Any:  # noqa: ANN401  # what the column holds
        """Return the first column of the first row; None where there is none."""
        await self._begin()
        with translate_driver_errors(self.driver):
            return await self.driver.fetchval(query, *arguments)

    async def copy_records_to_table(
        self, table: str, *, columns: Sequence[str], records: Iterable[Sequence[object]]
    ) -> str:
        """Write rows in bulk by COPY; return its tag."""
        await self._begin()
        with translate_driver_errors(self.driver):
            return await self.driver.copy_records_to_table(table, columns=columns, records=records)

    @asynccontextmanager
    async def in_transaction(self) -> AsyncIterator[None]:
        """Run the block in the present transaction; where there is none, in one of its own."""
        await self._begin()
        if self.driver.is_in_transaction():
            yield
            return
        with translate_driver_errors(self.driver):
            async with self.driver.transaction():
                yield

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Run the block in the present transaction; what it did is undone, and nothing else, where it raises."""
        with translate_driver_errors(self.driver):
            async with self.driver.transaction():
                yield

    async def _begin(self) -> None:
        """Do what must come before the first statement: nothing here."""


@contextmanager
def translate_driver_errors(driver: "DriverConnection | None" = None) -> Iterator[None]:
    """Turn a driver's error that speaks of the database's state, not of the statement, into `Unavailable`."""
    try:
        yield
    except asyncio.CancelledError:
        if driver is not None:
            # Its statement may still run, and the pool would wait for its end before it takes the connection back.
            terminate(driver)
        raise
    except _UNREACHABLE as error:
        if driver is not None and isinstance(error, TimeoutError | asyncpg.ReadOnlySQLTransactionError):
            # As above; and after a fail-over the pool must look for the new primary, not hand this one out again.
            terminate(driver)
        raise Unavailable(f"The database can't be reached now ({type(error).__name__}).") from error
    except asyncpg.InterfaceError as error:
        if isinstance(error.__context__, asyncio.CancelledError):
            # The end of a transaction found the connection cut, as above: who stops this must not be asked to wait.
            raise error.__context__ from None
        # The driver raises the same class for a closed connection and for a mistake in calling it.
        if driver is not None and not _is_gone(driver):
            raise
        raise Unavailable("The connection to the database is closed.") from error


def terminate(driver: DriverConnection) -> None:
    """Close the connection without a word to the server; nothing happens where it is closed already."""
    with suppress(asyncpg.InterfaceError):
        driver.terminate()


def _is_gone(driver: DriverConnection) -> bool:
    """Tell whether the connection is closed; a pool takes a connection that breaks out of its user's hands."""
    try:
        return driver.is_closed()
    except asyncpg.InterfaceError:
        return True
