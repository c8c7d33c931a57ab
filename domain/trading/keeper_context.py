"""What the parts of an account's position keeper share: the account, its dependencies and its transactions."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from domain.model.events import NewEvent, UserEventKind
from domain.model.protection import PositionProtection
from domain.model.trading import Account, Position
from domain.ports.leases import Lease
from domain.ports.unit_of_work import UnitOfWork
from domain.trading.dependencies import TradingDependencies
from domain.trading.executor_handle import ExecutorHandle

log = logging.getLogger(__name__)


class KeeperContext:
    """An account, and what its position keeper works with.

    `lease` returns the account's lease or raises `StaleLease`.
    """

    def __init__(
        self,
        account: Account,
        dependencies: TradingDependencies,
        lease: Callable[[], Lease],
        executor: ExecutorHandle,
    ) -> None:
        self.account = account
        self.database = dependencies.database
        self.venues = dependencies.venues
        self.feed = dependencies.feed
        self.bus = dependencies.bus
        self.clock = dependencies.clock
        self.ids = dependencies.ids
        self.timings = dependencies.timings
        self.executor = executor
        self.log_ids = {"user_id": str(account.user_id), "account_id": str(account.id)}
        self._lease = lease

    def __repr__(self) -> str:
        return f"KeeperContext({self.account.id})"

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[UnitOfWork]:
        """A transaction under the account's lease; raises `StaleLease` if that is lost."""
        try:
            async with self.database.transaction() as unit_of_work:
                await unit_of_work.leases.check(self._lease())
                yield unit_of_work
        finally:
            self.executor.forget_book()

    async def save_position(self, unit_of_work: UnitOfWork, position: Position, message: str) -> None:
        """Store a changed position, whose row is locked, with an event for its user."""
        await unit_of_work.positions.save(position)
        self.publish_position(unit_of_work, position, message)

    def publish_position(self, unit_of_work: UnitOfWork, position: Position, message: str) -> None:
        """Append an event of the position, which may be unchanged."""
        event = NewEvent(position.user_id, self.clock.now(), UserEventKind.POSITION, position, message)
        unit_of_work.events.append([event])

    async def alert(self, unit_of_work: UnitOfWork, key: str, message: str) -> None:
        """Alert the user of a condition once, until it is cleared."""
        now = self.clock.now()
        if await unit_of_work.accounts.record_alerts(self.account.id, [key], now):
            event = NewEvent(self.account.user_id, now, UserEventKind.ALERT, None, message)
            unit_of_work.events.append([event])
            log.warning("alert", extra={**self.log_ids, "reason": message})

    async def report(self, protection: PositionProtection, error: Exception) -> None:
        """Log an error of the engine's own about one protection, and alert of it; the others go on."""
        log.error("protection %s failed", protection.id, exc_info=error, extra=self.log_ids)
        async with self.transaction() as unit_of_work:
            message = f"The engine met an error of its own while it protected a position on {protection.market}."
            await self.alert(unit_of_work, f"protection:{protection.id}", message)
