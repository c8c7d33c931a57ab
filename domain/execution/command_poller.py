"""Finds the commands of all accounts that a node trades, in one query, in case a notification was lost."""

import asyncio
import logging

from domain.core.clock import Clock
from domain.core.errors import Unavailable
from domain.execution.notifications import OrderNotifier
from domain.execution.order_timings import OrderTimings
from domain.ports.unit_of_work import Database

_log = logging.getLogger(__name__)


class CommandPoller:
    """Wakes the executors of this node whose accounts have orders to be sent, cancelled or expired.

    An account at rest costs nothing: its executor asks the database only when it is woken.
    """

    def __init__(
        self, database: Database, notifier: OrderNotifier, clock: Clock, timings: OrderTimings | None = None
    ) -> None:
        self._database = database
        self._notifier = notifier
        self._clock = clock
        self._timings = timings or OrderTimings()

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:
            await asyncio.sleep(self._timings.poll_interval)
            try:
                await self.poll()
            except Unavailable as error:
                _log.warning("the orders' executors wait for the database: %s", error.message)
                await asyncio.sleep(self._timings.retry_delay)

    async def poll(self) -> None:
        """Look once, and wake those executors that have something to do."""
        if not self._notifier.listening_accounts:
            return
        async with self._database.read_only() as reading:
            commanded = await reading.orders.list_commanded_accounts(self._clock.now())
        self._notifier.wake_executors(commanded)
