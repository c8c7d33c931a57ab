"""A database connection that raises the domain's errors."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
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
    """A connection for repositories: asyncpg's methods, raising `Unavailable` if the database can't be reached."""

    def __init__(self, driver: DriverConnection) -> None:
        self.driver = driver
        self.before_next: Callable[[], Awaitable[None]] | None = None
        """What is to be written before the next statement, but not before the transaction's last one."""

    async def execute(self, query: str, *arguments: object) -> str:
        """Run a statement, or several separated by semicolons if there are no arguments; return its tag."""
        await self._begin()
        with translate_driver_errors(self.driver):
            return await self.driver.execute(query, *arguments)

    async def executemany(self, query: str, rows: Iterable[Sequence[object]]) -> None:
        """Run a statement once a row, sent together."""
        await self._begin()
        with translate_driver_errors(self.driver):
            await self.driver.executemany(query, rows)

    async def fetchmany(self, query: str, rows: Iterable[Sequence[object]]) -> list[asyncpg.Record]:
        """Run a statement once a row, sent together, and return the rows of all results."""
        await self._begin()
        with translate_driver_errors(self.driver):
            return list(await self.driver.fetchmany(query, rows))

    async def fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """Return all rows."""
        await self._begin()
        with translate_driver_errors(self.driver):
            return await self.driver.fetch(query, *arguments)

    async def fetchrow(self, query: str, *arguments: object) -> asyncpg.Record | None:
        """Return the first row; None if there is none."""
        await self._begin()
        with translate_driver_errors(self.driver):
            return await self.driver.fetchrow(query, *arguments)

    async def fetchval(self, query: str, *arguments: object) -> Any:  # noqa: ANN401  # what the column holds
        """Return the first column of the first row; None if there is none."""
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

    async def copy_to_csv(self, query: str, *arguments: object) -> tuple[bytes, int]:
        """Return the rows as lines of CSV without names, written by the server, and how many they are."""
        await self._begin()
        lines = bytearray()

        async def receive(part: bytes) -> None:
            lines.extend(part)

        with translate_driver_errors(self.driver):
            tag = await self.driver.copy_from_query(query, *arguments, output=receive, format="csv")
        return bytes(lines), int(tag.rpartition(" ")[2])

    @asynccontextmanager
    async def in_transaction(self) -> AsyncIterator[None]:
        """Run the block in the current transaction; without one, in a transaction of its own."""
        await self._begin()
        if self.driver.is_in_transaction():
            yield
            return
        with translate_driver_errors(self.driver):
            async with self.driver.transaction():
                yield

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Run the block in a savepoint of the current transaction; if it raises, only the block is undone."""
        with translate_driver_errors(self.driver):
            async with self.driver.transaction():
                yield

    async def _begin(self) -> None:
        """Called before each statement, for subclasses."""


@contextmanager
def translate_driver_errors(driver: "DriverConnection | None" = None) -> Iterator[None]:
    """Turn errors of the driver that are about the database's state, not the statement, into `Unavailable`."""
    try:
        yield
    except asyncio.CancelledError:
        if driver is not None:
            # Its statement may still be running, and the pool would wait for it when it takes the connection back.
            terminate(driver)
        raise
    except _UNREACHABLE as error:
        if driver is not None and isinstance(error, TimeoutError | asyncpg.ReadOnlySQLTransactionError):
            # As above; and after a fail-over the pool must look for the new primary, not hand this one out again.
            terminate(driver)
        raise Unavailable(f"The database can't be reached now ({type(error).__name__}).") from error
    except asyncpg.InterfaceError as error:
        if isinstance(error.__context__, asyncio.CancelledError):
            # The connection was terminated above, which the end of the transaction has found: this is the cancellation.
            raise error.__context__ from None
        # The driver raises the same class for a closed connection and for wrong use.
        if driver is not None and not _is_gone(driver):
            raise
        raise Unavailable("The connection to the database is closed.") from error


def terminate(driver: DriverConnection) -> None:
    """Close the connection without notifying the server; does nothing if it is closed already."""
    with suppress(asyncpg.InterfaceError):
        driver.terminate()


def _is_gone(driver: DriverConnection) -> bool:
    """Return whether the connection is closed, or the pool has taken it back because it broke."""
    try:
        return driver.is_closed()
    except asyncpg.InterfaceError:
        return True
